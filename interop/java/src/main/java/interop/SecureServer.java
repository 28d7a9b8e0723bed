package interop;

import gurux.dlms.GXDLMSConnectionEventArgs;
import gurux.dlms.ValueEventArgs;
import gurux.dlms.enums.AccessMode;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.MethodAccessMode;
import gurux.dlms.enums.ObjectType;
import gurux.dlms.enums.Security;
import gurux.dlms.enums.SourceDiagnostic;
import gurux.dlms.enums.Unit;
import gurux.dlms.objects.GXDLMSAssociationLogicalName;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSDisconnectControl;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.GXDLMSSecuritySetup;
import gurux.dlms.objects.enums.ControlState;
import gurux.dlms.objects.enums.SecurityPolicy;
import gurux.dlms.objects.enums.SecuritySuite;
import gurux.dlms.secure.GXDLMSSecureServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/** The meter of the cases of security on gurux.dlms' server; standard input says which case is next. */
public final class SecureServer extends GXDLMSSecureServer {
    private static final Map<String, Security> SECURITIES = Map.of("", Security.NONE, "a", Security.AUTHENTICATION,
            "e", Security.ENCRYPTION, "ae", Security.AUTHENTICATION_ENCRYPTION);

    private final SecureCase one;

    private SecureServer(SecureCase one) throws Exception {
        super(true, InterfaceType.WRAPPER);
        this.one = one;
        setMaxReceivePDUSize(1024);
        getCiphering().setSystemTitle(one.octets("meter_title"));
        GXDLMSAssociationLogicalName view = new GXDLMSAssociationLogicalName();
        view.setMethodAccess(1, MethodAccessMode.ACCESS);
        if (one.has("secret")) {
            view.setSecret(one.octets("secret"));
        }
        getItems().add(view);
        if (one.has("encryption_key")) {
            getCiphering().setSecuritySuite(SecuritySuite.forValue(one.number("suite")));
            getCiphering().setBlockCipherKey(one.octets("encryption_key"));
            getCiphering().setAuthenticationKey(one.octets("authentication_key"));
            getCiphering().setSecurity(SECURITIES.get(one.text("protection")));
        }
        if (one.has("signature_private")) {
            getCiphering().setSigningKeyPair(one.keys("signature"));
            getCiphering().setKeyAgreementKeyPair(one.keys("agreement"));
        }
        objects();
        initialize();
    }

    private void objects() throws Exception {
        GXDLMSRegister register = new GXDLMSRegister(dotted("register"));
        register.setDataType(2, DataType.UINT32);
        register.setScaler(0.1);
        register.setUnit(Unit.ACTIVE_ENERGY);
        register.setValue(Long.parseLong(one.text("value")));
        getItems().add(register);
        GXDLMSData message = new GXDLMSData(dotted("message"));
        message.setDataType(2, DataType.OCTET_STRING);
        message.setValue(new byte[1]);
        message.setAccess(2, AccessMode.READ_WRITE);
        getItems().add(message);
        GXDLMSDisconnectControl breaker = new GXDLMSDisconnectControl(dotted("breaker"));
        breaker.setOutputState(true);
        breaker.setControlState(ControlState.CONNECTED);
        breaker.setMethodAccess(1, MethodAccessMode.ACCESS);
        getItems().add(breaker);
        if (one.has("encryption_key")) {
            GXDLMSSecuritySetup setup = new GXDLMSSecuritySetup(dotted("setup"));
            setup.setVersion(one.number("suite") == 0 ? 0 : 1);
            setup.setSecuritySuite(SecuritySuite.forValue(one.number("suite")));
            setup.setSecurityPolicy(SecurityPolicy.forValue(0));
            setup.setServerSystemTitle(one.octets("meter_title"));
            setup.setGuek(one.octets("encryption_key"));
            setup.setGak(one.octets("authentication_key"));
            setup.setKek(one.octets("master_key"));
            for (int method = 1; method <= 8; method++) {
                setup.setMethodAccess(method, MethodAccessMode.ACCESS);
            }
            getItems().add(setup);
            setKek(one.octets("master_key"));
        }
    }

    private String dotted(String key) {
        return Meter.dottedOf(one.octets(key));
    }

    @Override
    protected boolean isTarget(int serverAddress, int clientAddress) {
        return serverAddress == one.number("server_sap") && clientAddress == one.number("client_sap");
    }

    @Override
    protected SourceDiagnostic validateAuthentication(Authentication authentication, byte[] password) {
        boolean wrong = authentication == Authentication.LOW && !Arrays.equals(password, one.octets("secret"));
        return wrong ? SourceDiagnostic.AUTHENTICATION_FAILURE : SourceDiagnostic.NONE;
    }

    @Override
    protected GXDLMSObject onFindObject(ObjectType objectType, int sn, String ln) {
        return null;
    }

    @Override
    public void read(ValueEventArgs[] arguments) {
        // values are held in memory
    }

    @Override
    protected void write(ValueEventArgs[] arguments) {
        // the library takes what may be written
    }

    @Override
    protected void connected(GXDLMSConnectionEventArgs connectionInfo) {
        // nothing to note
    }

    @Override
    protected void invalidConnection(GXDLMSConnectionEventArgs connectionInfo) {
        // nothing to note
    }

    @Override
    protected void disconnected(GXDLMSConnectionEventArgs connectionInfo) {
        // nothing to note
    }

    @Override
    protected void action(ValueEventArgs[] arguments) {
        for (ValueEventArgs argument : arguments) {
            if (argument.getTarget() instanceof GXDLMSDisconnectControl) {
                ((GXDLMSDisconnectControl) argument.getTarget()).setControlState(ControlState.DISCONNECTED);
                argument.setHandled(true);
            }
        }
    }

    private void serve(Socket socket) throws Exception {
        InputStream input = socket.getInputStream();
        byte[] octets = new byte[65536];
        for (int count = input.read(octets); count >= 0; count = input.read(octets)) {
            byte[] reply = handleRequest(Arrays.copyOf(octets, count));
            if (reply != null) {
                socket.getOutputStream().write(reply);
            }
        }
    }

    private static void serveOnce(ServerSocket listener, SecureCase one) {
        try (Socket socket = listener.accept()) {
            new SecureServer(one).serve(socket);
        } catch (Exception error) {
            error.printStackTrace();
        }
    }

    public static void main(String[] arguments) throws IOException {
        Report report = new Report();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            SecureCase one = new SecureCase(line);
            ServerSocket listener = new ServerSocket(0, 5, InetAddress.getByName(one.text("host")));
            Thread serving = new Thread(() -> serveOnce(listener, one));
            serving.setDaemon(true);
            serving.start();
            report.of(one.text("name"), () -> String.valueOf(listener.getLocalPort()));
        }
        System.exit(0);
    }
}
