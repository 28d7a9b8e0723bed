package interop;

import gurux.dlms.GXDLMSConnectionEventArgs;
import gurux.dlms.GXDateTime;
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
import gurux.dlms.objects.GXDLMSAssociationShortName;
import gurux.dlms.objects.GXDLMSClock;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSDisconnectControl;
import gurux.dlms.objects.GXDLMSImageTransfer;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.enums.ControlMode;
import gurux.dlms.objects.enums.ControlState;
import gurux.dlms.objects.enums.ImageTransferStatus;
import gurux.dlms.secure.GXDLMSSecureServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;

/** The meter on gurux.dlms' server; one association at a time, the one named on the command line. */
public final class GuruxServer extends GXDLMSSecureServer {
    private final Meter meter;
    private final String association;
    private final ByteArrayOutputStream image = new ByteArrayOutputStream();

    private GuruxServer(Meter meter, String association, Place way) {
        super(!way.isShortNames(), way.isHdlc() ? InterfaceType.HDLC : InterfaceType.WRAPPER);
        if (way.isHdlc()) {
            getHdlcSettings().setMaxInfoTX(way.maxInfo());
            getHdlcSettings().setMaxInfoRX(way.maxInfo());
            getHdlcSettings().setWindowSizeTX(way.window());
            getHdlcSettings().setWindowSizeRX(way.window());
        }
        this.meter = meter;
        this.association = association;
        setMaxReceivePDUSize(meter.number("max_pdu_size"));
        getCiphering().setSystemTitle(meter.octets("meter_title"));
        getCiphering().setBlockCipherKey(meter.octets("encryption_key"));
        getCiphering().setAuthenticationKey(meter.octets("authentication_key"));
        if (association.equals("hls-gmac")) {
            getCiphering().setSecurity(Security.AUTHENTICATION_ENCRYPTION);
        }
        if (way.isGeneralBlocks()) {
            getSettings().setGbtWindowSize((byte) way.window());
        }
        getItems().add(way.isShortNames() ? shortNames() : logicalNames());
        List<GXDLMSObject> captured = objects();
        getItems().add(profile(captured));
        GXDLMSData code = new GXDLMSData(meter.dotted("event_code"));
        code.setDataType(2, DataType.UINT8);
        code.setValue((short) 0);
        getItems().add(code);
        getItems().add(history("event_log", "events", captured.get(0), code));
        getItems().add(history("billing", "billings", captured.get(0), captured.get(2)));
        getItems().add(breaker());
        getItems().add(imageTransfer());
        initialize();
    }

    private GXDLMSObject logicalNames() {
        GXDLMSAssociationLogicalName view = new GXDLMSAssociationLogicalName();
        if (association.equals("lls")) {
            view.setSecret(meter.octets("password_octets"));
        }
        if (association.equals("hls-gmac")) {
            view.setMethodAccess(1, MethodAccessMode.ACCESS);
        }
        return view;
    }

    private GXDLMSObject shortNames() {
        GXDLMSAssociationShortName view = new GXDLMSAssociationShortName();
        if (association.equals("lls")) {
            view.setSecret(meter.octets("password_octets"));
        }
        if (association.equals("hls-gmac")) {
            view.setMethodAccess(8, MethodAccessMode.ACCESS);
        }
        return view;
    }

    private GXDLMSDisconnectControl breaker() {
        GXDLMSDisconnectControl breaker = new GXDLMSDisconnectControl(meter.dotted("breaker"));
        breaker.setOutputState(true);
        breaker.setControlState(ControlState.CONNECTED);
        breaker.setControlMode(ControlMode.MODE_4);
        for (int method = 1; method <= 2; method++) {
            breaker.setMethodAccess(method, MethodAccessMode.ACCESS);
        }
        return breaker;
    }

    private GXDLMSImageTransfer imageTransfer() {
        GXDLMSImageTransfer transfer = new GXDLMSImageTransfer(meter.dotted("image_transfer"));
        transfer.setImageBlockSize(meter.number("image_block"));
        transfer.setImageTransferEnabled(true);
        for (int method = 1; method <= 4; method++) {
            transfer.setMethodAccess(method, MethodAccessMode.ACCESS);
        }
        return transfer;
    }

    /** A profile of a stamp and a number. */
    private GXDLMSProfileGeneric history(String name, String rows, GXDLMSObject clock, GXDLMSObject target) {
        GXDLMSProfileGeneric profile = new GXDLMSProfileGeneric(meter.dotted(name));
        profile.addCaptureObject(clock, 2, 0);
        profile.addCaptureObject(target, 2, 0);
        profile.setSortObject(clock);
        profile.setSortObjectAttributeIndex(2);
        for (String[] fields : meter.records(rows)) {
            profile.addRow(new Object[] {new GXDateTime(Date.from(Instant.parse(fields[0]))),
                Long.parseLong(fields[1])});
        }
        profile.setEntriesInUse(meter.records(rows).size());
        profile.setProfileEntries(meter.records(rows).size());
        return profile;
    }

    private List<GXDLMSObject> objects() {
        GXDLMSClock clock = new GXDLMSClock(meter.dotted("clock"));
        // Outside of the range that is read: the library captures a row of its own when it starts.
        clock.setTime(Date.from(Instant.parse(meter.text("first"))));
        clock.setAccess(2, AccessMode.READ_WRITE);
        clock.setMethodAccess(6, MethodAccessMode.ACCESS);
        GXDLMSData status = new GXDLMSData(meter.dotted("profile_status"));
        status.setValue((short) 0);
        status.setDataType(2, DataType.UINT8);
        GXDLMSData name = new GXDLMSData(meter.dotted("logical_device_name"));
        name.setValue(meter.octets("device_name"));
        name.setDataType(2, DataType.OCTET_STRING);
        getItems().add(clock);
        getItems().add(status);
        getItems().add(name);
        List<GXDLMSObject> captured = new ArrayList<>(Arrays.asList(clock, status));
        for (String[] fields : meter.records("registers")) {
            GXDLMSRegister register = new GXDLMSRegister(Meter.dottedOf(Meter.octetsOf(fields[0])));
            register.setDataType(2, DataType.UINT32);
            register.setScaler(Math.pow(10, Integer.parseInt(fields[2])));
            register.setUnit(Unit.forValue(Integer.parseInt(fields[3])));
            // The value is held as sent: the scaler is not applied to it.
            register.setValue(Long.parseLong(fields[1]));
            getItems().add(register);
            captured.add(register);
        }
        return captured;
    }

    private GXDLMSProfileGeneric profile(List<GXDLMSObject> captured) {
        GXDLMSProfileGeneric profile = new GXDLMSProfileGeneric(meter.dotted("load_profile"));
        profile.setCapturePeriod(meter.number("capture_period"));
        for (GXDLMSObject target : captured) {
            profile.addCaptureObject(target, 2, 0);
        }
        profile.setSortObject(captured.get(0));
        profile.setSortObjectAttributeIndex(2);
        for (String[] fields : meter.records("rows")) {
            GXDateTime stamp = new GXDateTime(Date.from(Instant.parse(fields[0])));
            profile.addRow(new Object[] {stamp, Short.parseShort(fields[1]), Long.parseLong(fields[2]),
                Long.parseLong(fields[3])});
        }
        profile.setEntriesInUse(meter.records("rows").size());
        profile.setProfileEntries(meter.records("rows").size());
        return profile;
    }

    @Override
    protected boolean isTarget(int serverAddress, int clientAddress) {
        int upper = meter.number("server_sap");
        // An address of two or four octets comes as one number.
        boolean addressed = serverAddress == upper || serverAddress == (upper << 7 | Place.STATION)
                || serverAddress == (upper << 14 | Place.STATION);
        return addressed && clientAddress == meter.number("sap." + association);
    }

    @Override
    protected SourceDiagnostic validateAuthentication(Authentication authentication, byte[] password) {
        if (association.equals("lls") && !Arrays.equals(password, meter.octets("password_octets"))) {
            return SourceDiagnostic.AUTHENTICATION_FAILURE;
        }
        return SourceDiagnostic.NONE;
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
        // the library takes what may be written: the clock
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
        // What the library leaves to its user; all else, as the reply to HLS authentication, it does itself.
        for (ValueEventArgs argument : arguments) {
            if (argument.getTarget() instanceof GXDLMSDisconnectControl) {
                GXDLMSDisconnectControl breaker = (GXDLMSDisconnectControl) argument.getTarget();
                breaker.setOutputState(argument.getIndex() == 2);
                breaker.setControlState(argument.getIndex() == 2 ? ControlState.CONNECTED : ControlState.DISCONNECTED);
                argument.setHandled(true);
            } else if (argument.getTarget() instanceof GXDLMSImageTransfer) {
                take((GXDLMSImageTransfer) argument.getTarget(), argument);
            }
        }
    }

    private void take(GXDLMSImageTransfer transfer, ValueEventArgs argument) {
        switch (argument.getIndex()) {
        case 1:
            image.reset();
            break;
        case 2:
            byte[] block = (byte[]) ((List<?>) argument.getParameters()).get(1);
            image.write(block, 0, block.length);
            break;
        case 3:
            boolean whole = Arrays.equals(image.toByteArray(), meter.octets("image"));
            transfer.setImageTransferStatus(whole ? ImageTransferStatus.IMAGE_VERIFICATION_SUCCESSFUL
                    : ImageTransferStatus.IMAGE_VERIFICATION_FAILED);
            break;
        default:
            transfer.setImageTransferStatus(ImageTransferStatus.IMAGE_ACTIVATION_SUCCESSFUL);
            break;
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

    public static void main(String[] arguments) throws IOException {
        Report report = new Report();
        Meter meter = new Meter(arguments[0]);
        try (ServerSocket listener = new ServerSocket(0, 5, InetAddress.getByName(meter.text("host")))) {
            report.listening(listener.getLocalPort());
            while (true) {
                try (Socket socket = listener.accept()) {
                    new GuruxServer(meter, arguments[1], new Place(arguments[2])).serve(socket);
                } catch (Exception error) {
                    error.printStackTrace();
                }
            }
        }
    }
}
