package interop;

import gurux.dlms.GXSimpleEntry;
import gurux.dlms.asn.enums.Ecc;
import gurux.dlms.ecdsa.GXEcdsa;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.Security;
import gurux.dlms.enums.Signing;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSDisconnectControl;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.GXDLMSSecuritySetup;
import gurux.dlms.objects.enums.CertificateEntity;
import gurux.dlms.objects.enums.CertificateType;
import gurux.dlms.objects.enums.GlobalKeyType;
import gurux.dlms.objects.enums.SecurityPolicy;
import gurux.dlms.objects.enums.SecuritySuite;
import gurux.dlms.secure.GXCiphering;
import gurux.dlms.secure.GXDLMSSecureClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** gurux.dlms in one case of security after the other, as the lines of standard input say. */
public final class SecureClient {
    private static final Authentication[] AUTHENTICATIONS = {Authentication.NONE, Authentication.LOW,
        Authentication.HIGH, Authentication.HIGH_MD5, Authentication.HIGH_SHA1, Authentication.HIGH_GMAC,
        Authentication.HIGH_SHA256, Authentication.HIGH_ECDSA};
    private static final Map<String, Security> SECURITIES = Map.of("", Security.NONE, "a", Security.AUTHENTICATION,
            "e", Security.ENCRYPTION, "ae", Security.AUTHENTICATION_ENCRYPTION);

    private final SecureCase one;
    private final GXDLMSSecureClient client;
    private final GuruxLink link;

    private SecureClient(SecureCase one) throws Exception {
        this.one = one;
        client = new GXDLMSSecureClient(true, one.number("client_sap"), one.number("server_sap"),
                AUTHENTICATIONS[one.number("mechanism")], null, InterfaceType.WRAPPER);
        if (one.has("secret")) {
            client.setPassword(one.octets("secret"));
        }
        Set<Conformance> proposed = client.getProposedConformance();
        proposed.remove(Conformance.GENERAL_BLOCK_TRANSFER);
        proposed.remove(Conformance.GENERAL_PROTECTION);
        if (one.has("general")) {
            proposed.add(Conformance.GENERAL_PROTECTION);
        }
        client.setProposedConformance(proposed);
        cipher(client.getCiphering());
        link = new GuruxLink(client, one.text("host"), one.number("port"));
        client.parseAareResponse(link.exchange(client.aarqRequest()).getData());
        if (client.getIsAuthenticationRequired()) {
            client.parseApplicationAssociationResponse(
                    link.exchange(client.getApplicationAssociationRequest()).getData());
        }
    }

    private void cipher(GXCiphering ciphering) throws Exception {
        ciphering.setSystemTitle(one.octets("client_title"));
        if (one.has("encryption_key")) {
            ciphering.setSecuritySuite(SecuritySuite.forValue(one.number("suite")));
            ciphering.setSecurity(SECURITIES.get(one.text("protection")));
            ciphering.setBlockCipherKey(one.octets("encryption_key"));
            ciphering.setAuthenticationKey(one.octets("authentication_key"));
            ciphering.setInvocationCounter(Long.parseLong(one.text("counter")));
        }
        if (one.has("dedicated_key")) {
            ciphering.setDedicatedKey(one.octets("dedicated_key"));
        }
        if (one.has("signature_private")) {
            ciphering.setSigningKeyPair(one.keys("signature"));
            ciphering.setKeyAgreementKeyPair(one.keys("agreement"));
        }
        if (one.has("challenge")) {
            client.setCtoSChallenge(one.octets("challenge"));
        }
        if (one.has("signing")) {
            ciphering.setRecipientSystemTitle(one.octets("meter_title"));
            ciphering.setSigning(Signing.valueOf(one.text("signing")));
            if (one.has("transaction_id")) {
                ciphering.setTransactionId(one.octets("transaction_id"));
            }
        }
    }

    private static void expect(String what, Object found, Object wanted) throws IOException {
        if (!found.equals(wanted)) {
            throw new IOException(what + ": " + found + " instead of " + wanted);
        }
    }

    /** Reads, writes and acts. */
    private void use() throws Exception {
        GXDLMSRegister register = new GXDLMSRegister(dotted("register"));
        expect("GET", GuruxClient.whole(link.exchange(client.read(register, 2)).getValue()),
                Long.parseLong(one.text("value")));
        GXDLMSData message = new GXDLMSData(dotted("message"));
        message.setDataType(2, DataType.OCTET_STRING);
        message.setValue(one.octets("content"));
        link.exchange(client.write(message, 2));
        byte[] content = (byte[]) link.exchange(client.read(message, 2)).getValue();
        expect("SET", Meter.hexOf(content), one.text("content"));
        GXDLMSDisconnectControl breaker = new GXDLMSDisconnectControl(dotted("breaker"));
        link.exchange(breaker.remoteDisconnect(client));
        expect("ACTION", GuruxClient.whole(link.exchange(client.read(breaker, 3)).getValue()), 0L);
    }

    private String dotted(String key) {
        return Meter.dottedOf(one.octets(key));
    }

    /** The methods of the Security setup. */
    private String setUp(String deed) throws Exception {
        GXDLMSSecuritySetup setup = new GXDLMSSecuritySetup(dotted("setup"));
        setup.setVersion(one.number("suite") == 0 ? 0 : 1);
        switch (deed) {
        case "transfer":
            List<GXSimpleEntry<GlobalKeyType, byte[]>> keys = new ArrayList<>();
            for (GlobalKeyType type : GlobalKeyType.values()) {
                keys.add(new GXSimpleEntry<>(type, one.octets("fresh_" + type.ordinal())));
            }
            link.exchange(setup.globalKeyTransfer(client, one.octets("master_key"), keys));
            return "null";
        case "activate":
            link.exchange(setup.activate(client, SecurityPolicy.forValue(one.number("policy"))));
            return "null";
        case "agree":
            client.getCiphering().setEphemeralKeyPair(
                    GXEcdsa.generateKeyPair(one.number("suite") == 1 ? Ecc.P256 : Ecc.P384));
            link.exchange(setup.keyAgreement(client, GlobalKeyType.UNICAST_ENCRYPTION));
            return "null";
        case "request":
            link.exchange(setup.generateKeyPair(client, CertificateType.DIGITAL_SIGNATURE));
            return hex(link.exchange(setup.generateCertificate(client, CertificateType.DIGITAL_SIGNATURE)).getValue());
        case "import":
            link.exchange(setup.importCertificate(client, one.octets("certificate")));
            return hex(link.exchange(setup.exportCertificateByEntity(client, CertificateEntity.SERVER,
                    CertificateType.DIGITAL_SIGNATURE, one.octets("meter_title"))).getValue());
        default:
            throw new IOException("no deed " + deed);
        }
    }

    private static String hex(Object octets) {
        return "\"" + Meter.hexOf((byte[]) octets) + "\"";
    }

    private String run() throws Exception {
        try {
            String told = "null";
            if (one.has("deed")) {
                told = setUp(one.text("deed"));
            } else {
                use();
            }
            if (!one.has("unreleased")) {
                link.exchange(client.releaseRequest());
            }
            return told;
        } finally {
            link.close();
        }
    }

    public static void main(String[] arguments) throws IOException {
        Report report = new Report();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            SecureCase one = new SecureCase(line);
            report.of(one.text("name"), () -> new SecureClient(one).run());
        }
        System.exit(0);
    }
}
