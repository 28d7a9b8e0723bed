package interop;

import gurux.dlms.GXReplyData;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.Security;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.IGXDLMSBase;
import gurux.dlms.secure.GXDLMSSecureClient;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** gurux.dlms reads the meter; the library makes and reads octets, the socket is ours. */
public final class GuruxClient implements Driver.Reader {
    private static final Map<String, Authentication> AUTHENTICATIONS = Map.of(
            "none", Authentication.NONE, "lls", Authentication.LOW, "hls-gmac", Authentication.HIGH_GMAC);

    private final Meter meter;
    private final GXDLMSSecureClient client;
    private final GuruxLink link;

    private GuruxClient(Meter meter, Place place, String association) throws Exception {
        this.meter = meter;
        int server = meter.number("server_sap");
        if (place.isHdlc() && place.address() > 1) {
            server = GXDLMSSecureClient.getServerAddress(server, Place.STATION, place.address());
        }
        client = new GXDLMSSecureClient(!place.isShortNames(), meter.number("sap." + association), server,
                AUTHENTICATIONS.get(association), association.equals("lls") ? meter.text("password") : null,
                place.isHdlc() ? InterfaceType.HDLC : InterfaceType.WRAPPER);
        Set<Conformance> proposed = client.getProposedConformance();
        proposed.remove(Conformance.GENERAL_BLOCK_TRANSFER);
        if (place.isGeneralBlocks()) {
            proposed.add(Conformance.GENERAL_BLOCK_TRANSFER);
            client.setMaxReceivePDUSize(meter.number("max_pdu_size"));
            client.setGbtWindowSize((byte) place.window());
        }
        proposed.remove(Conformance.GENERAL_PROTECTION);
        client.setProposedConformance(proposed);
        if (association.equals("hls-gmac")) {
            client.getCiphering().setSecurity(Security.AUTHENTICATION_ENCRYPTION);
            client.getCiphering().setSystemTitle(Meter.octetsOf("4752584a00000002"));
            client.getCiphering().setBlockCipherKey(meter.octets("encryption_key"));
            client.getCiphering().setAuthenticationKey(meter.octets("authentication_key"));
            client.getCiphering().setInvocationCounter(Instant.now().getEpochSecond());
        }
        link = new GuruxLink(client, meter.text("host"), place.port());
        if (place.isHdlc()) {
            client.getHdlcSettings().setMaxInfoTX(place.maxInfo());
            client.getHdlcSettings().setMaxInfoRX(place.maxInfo());
            client.getHdlcSettings().setWindowSizeTX(place.window());
            client.getHdlcSettings().setWindowSizeRX(place.window());
            client.setServerAddressSize(place.address());
            client.parseUAResponse(exchange(client.snrmRequest()).getData());
        }
        client.parseAareResponse(exchange(client.aarqRequest()).getData());
        if (client.getIsAuthenticationRequired()) {
            client.parseApplicationAssociationResponse(
                    exchange(client.getApplicationAssociationRequest()).getData());
        }
    }

    private GXReplyData exchange(byte[] request) throws Exception {
        return link.exchange(request);
    }

    GXReplyData exchange(byte[][] requests) throws Exception {
        return link.exchange(requests);
    }

    /** The object, with the short name that the view gives it. */
    <T extends GXDLMSObject> T named(T target) throws Exception {
        if (!client.getUseLogicalNameReferencing()) {
            if (client.getObjects().isEmpty()) {
                client.parseObjects(exchange(client.getObjectsRequest()).getData(), true);
            }
            target.setShortName(
                    client.getObjects().findByLN(target.getObjectType(), target.getLogicalName()).getShortName());
        }
        return target;
    }

    static long whole(Object value) {
        return ((Number) value).longValue();
    }

    @Override
    public Map<String, Report.Reading> readings() {
        Map<String, Report.Reading> readings = new GuruxDeeds(meter, client, this).readings();
        readings.put("register", this::register);
        readings.put("view", this::view);
        readings.put("profile", this::profile);
        readings.put("attributes", this::attributes);
        return readings;
    }

    private String register() throws Exception {
        GXDLMSRegister target = named(new GXDLMSRegister(meter.dotted("energy_import")));
        long value = whole(exchange(client.read(target, 2)).getValue());
        List<?> scalerUnit = (List<?>) exchange(client.read(target, 3)).getValue();
        return String.format("[%d, %d, %d]", value, whole(scalerUnit.get(0)), whole(scalerUnit.get(1)));
    }

    private String view() throws Exception {
        List<String> entries = new ArrayList<>();
        for (GXDLMSObject item : client.parseObjects(exchange(client.getObjectsRequest()).getData(), false)) {
            entries.add(String.format("[%d, %d, \"%s\"]", item.getObjectType().getValue(), item.getVersion(),
                    Meter.hexOf(Meter.logicalNameOf(item.getLogicalName()))));
        }
        return entries.toString();
    }

    private String profile() throws Exception {
        GXDLMSProfileGeneric target = named(new GXDLMSProfileGeneric(meter.dotted("load_profile")));
        client.updateValue(target, 3, exchange(client.read(target, 3)).getValue());
        Date since = Date.from(Instant.parse(meter.text("since")));
        Date until = Date.from(Instant.parse(meter.text("until")));
        return rows(exchange(client.readRowsByRange(target, since, until)).getValue());
    }

    /** Rows of the load profile. */
    static String rows(Object buffer) {
        List<String> lines = new ArrayList<>();
        for (Object row : list(buffer)) {
            List<?> cells = list(row);
            lines.add(String.format("[\"%s\", %d, %d, %d]", Meter.hexOf((byte[]) cells.get(0)),
                    whole(cells.get(1)), whole(cells.get(2)), whole(cells.get(3))));
        }
        return lines.toString();
    }

    /** Every attribute that the library has; the capture objects of a profile before its buffer. */
    private String attributes() throws Exception {
        List<String> rows = new ArrayList<>();
        for (GXDLMSObject item : client.parseObjects(exchange(client.getObjectsRequest()).getData(), true)) {
            int[] indexes = ((IGXDLMSBase) item).getAttributeIndexToRead(true);
            if (item instanceof GXDLMSProfileGeneric) {
                indexes = new int[] {1, 3, 2, 4, 5, 6, 7, 8};
            }
            for (int index : indexes) {
                rows.add(String.format("[%d, %d, \"%s\", %d, %s]", item.getObjectType().getValue(),
                        item.getVersion(), Meter.hexOf(Meter.logicalNameOf(item.getLogicalName())), index,
                        attribute(item, index)));
            }
        }
        return rows.toString();
    }

    /** The octets, and what the library says of them. */
    private String attribute(GXDLMSObject item, int index) throws Exception {
        GXReplyData reply;
        try {
            reply = exchange(client.read(item, index));
        } catch (GuruxLink.Refused refused) {
            return "null, \"refused " + refused.code() + "\"";
        }
        String octets = "\"" + Meter.hexOf(reply.getData().array()) + "\", ";
        try {
            client.updateValue(item, index, reply.getValue());
        } catch (RuntimeException error) {
            return octets + "\"" + Report.told(error) + "\"";
        }
        return octets + "\"\"";
    }

    static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Arrays.asList((Object[]) value);
    }

    @Override
    public String release() throws Exception {
        exchange(client.releaseRequest());
        if (client.getInterfaceType() == InterfaceType.HDLC) {
            exchange(client.disconnectRequest(true));
        }
        link.close();
        return "null";
    }

    public static void main(String[] arguments) throws IOException {
        Driver.run(arguments, GuruxClient::new);
    }
}
