package interop;

import java.io.IOException;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.openmuc.jdlms.AttributeAccessMode;
import org.openmuc.jdlms.CosemAttribute;
import org.openmuc.jdlms.CosemClass;
import org.openmuc.jdlms.CosemInterfaceObject;
import org.openmuc.jdlms.CosemMethod;
import org.openmuc.jdlms.DlmsServer;
import org.openmuc.jdlms.LogicalDevice;
import org.openmuc.jdlms.ObisCode;
import org.openmuc.jdlms.SelectiveAccessDescription;
import org.openmuc.jdlms.datatypes.DataObject;
import org.openmuc.jdlms.datatypes.DataObject.Type;
import org.openmuc.jdlms.sessionlayer.server.ServerSessionLayerFactories;
import org.openmuc.jdlms.sessionlayer.server.ServerSessionLayerFactory;

/** The meter on jDLMS' server, all three associations. */
public final class JdlmsServer {
    private JdlmsServer() {
    }

    /** Class 1. */
    @CosemClass(id = 1, version = 0)
    public static final class Data extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject value;

        Data(byte[] logicalName, DataObject value) {
            super(new ObisCode(logicalName));
            this.value = value;
        }
    }

    /** Class 3. */
    @CosemClass(id = 3, version = 0)
    public static final class Register extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject value;

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY, type = Type.STRUCTURE)
        private final DataObject scalerUnit;

        Register(String[] fields) {
            super(new ObisCode(Meter.octetsOf(fields[0])));
            value = DataObject.newUInteger32Data(Long.parseLong(fields[1]));
            scalerUnit = DataObject.newStructureData(DataObject.newInteger8Data(Byte.parseByte(fields[2])),
                    DataObject.newEnumerateData(Integer.parseInt(fields[3])));
        }
    }

    /** Class 8, what is needed of it. */
    @CosemClass(id = 8, version = 0)
    public static final class Clock extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_AND_WRITE, type = Type.OCTET_STRING)
        private DataObject time;

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject timeZone = DataObject.newInteger16Data((short) 0);

        Clock(byte[] logicalName, byte[] stamp) {
            super(new ObisCode(logicalName));
            time = DataObject.newOctetStringData(stamp);
        }

        /** Within an hour: the octets of minute and second change, and nothing else. */
        @CosemMethod(id = 6, consumes = Type.LONG_INTEGER)
        public void shiftTime(DataObject parameter) {
            Number shift = parameter.getValue();
            byte[] octets = time.<byte[]>getValue().clone();
            int second = octets[6] * 60 + octets[7] + shift.intValue();
            octets[6] = (byte) (second / 60);
            octets[7] = (byte) (second % 60);
            time = DataObject.newOctetStringData(octets);
        }
    }

    /** Class 7, a profile of a stamp and a number, which is read whole. */
    @CosemClass(id = 7, version = 1)
    public static final class History extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ARRAY)
        private final DataObject buffer;

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ARRAY)
        private final DataObject captureObjects;

        @CosemAttribute(id = 4, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject capturePeriod = DataObject.newUInteger32Data(0);

        @CosemAttribute(id = 5, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject sortMethod = DataObject.newEnumerateData(1);

        History(Meter meter, String name, String rows, int classId, String captured) {
            super(new ObisCode(meter.octets(name)));
            List<DataObject> stamped = new ArrayList<>();
            for (String[] fields : meter.records(rows)) {
                stamped.add(DataObject.newStructureData(DataObject.newOctetStringData(Meter.octetsOf(fields[2])),
                        DataObject.newUInteger32Data(Long.parseLong(fields[1]))));
            }
            buffer = DataObject.newArrayData(stamped);
            captureObjects = DataObject.newArrayData(List.of(captureObject(8, meter.octets("clock"), 2),
                    captureObject(classId, meter.octets(captured), 2)));
        }
    }

    private static DataObject captureObject(int classId, byte[] logicalName, int attribute) {
        return DataObject.newStructureData(DataObject.newUInteger16Data(classId),
                DataObject.newOctetStringData(logicalName), DataObject.newInteger8Data((byte) attribute),
                DataObject.newUInteger16Data(0));
    }

    /** Class 7; the library leaves the selection to its user. */
    @CosemClass(id = 7, version = 1)
    public static final class Profile extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ARRAY, selector = {1, 2})
        private DataObject buffer;

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ARRAY)
        private final DataObject captureObjects;

        @CosemAttribute(id = 4, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject capturePeriod;

        @CosemAttribute(id = 5, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject sortMethod = DataObject.newEnumerateData(1);

        @CosemAttribute(id = 6, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject sortObject;

        @CosemAttribute(id = 7, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject entriesInUse;

        @CosemAttribute(id = 8, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject profileEntries;

        private final List<String[]> rows;

        Profile(Meter meter) {
            super(new ObisCode(meter.octets("load_profile")));
            rows = meter.records("rows");
            List<DataObject> captured = new ArrayList<>();
            for (String[] fields : meter.records("capture_objects")) {
                captured.add(captureObject(Integer.parseInt(fields[0]), Meter.octetsOf(fields[1]),
                        Integer.parseInt(fields[2])));
            }
            captureObjects = DataObject.newArrayData(captured);
            capturePeriod = DataObject.newUInteger32Data(meter.number("capture_period"));
            sortObject = captured.get(0);
            entriesInUse = DataObject.newUInteger32Data(rows.size());
            profileEntries = DataObject.newUInteger32Data(rows.size());
        }

        /** Called by the library for attribute 2. Stamps are whole and in UTC, so that octets compare as time does. */
        public DataObject getBuffer(SelectiveAccessDescription selection) {
            byte[] since = new byte[0];
            byte[] until = {(byte) 0xff};
            List<String[]> wanted = rows;
            if (selection != null) {
                List<DataObject> range = selection.getAccessParameter().getValue();
                if (selection.getAccessSelector() == 2) {
                    int first = range.get(0).<Number>getValue().intValue();
                    int last = range.get(1).<Number>getValue().intValue();
                    wanted = rows.subList(first - 1, last == 0 ? rows.size() : last);
                } else {
                    since = range.get(1).getValue();
                    until = range.get(2).getValue();
                }
            }
            List<DataObject> selected = new ArrayList<>();
            for (String[] fields : wanted) {
                byte[] stamp = Meter.octetsOf(fields[4]);
                if (order(stamp, since) >= 0 && order(stamp, until) <= 0) {
                    selected.add(DataObject.newStructureData(DataObject.newOctetStringData(stamp),
                            DataObject.newUInteger8Data(Short.parseShort(fields[1])),
                            DataObject.newUInteger32Data(Long.parseLong(fields[2])),
                            DataObject.newUInteger32Data(Long.parseLong(fields[3]))));
                }
            }
            return DataObject.newArrayData(selected);
        }

        /** Compares year, month, day, hour, minute and second; the day of the week may be left open. */
        private static int order(byte[] one, byte[] other) {
            return Arrays.compareUnsigned(key(one), key(other));
        }

        private static byte[] key(byte[] stamp) {
            if (stamp.length < 12) {
                return stamp;
            }
            return new byte[] {stamp[0], stamp[1], stamp[2], stamp[3], stamp[5], stamp[6], stamp[7]};
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Report report = new Report();
        Meter meter = new Meter(arguments[0]);
        LogicalDevice device = new LogicalDevice(meter.number("server_sap"), meter.text("device_name_text"), "MTR", 1);
        device.setMasterKey(meter.octets("authentication_key"));
        for (String association : new String[] {"none", "lls", "hls-gmac"}) {
            device.addRestriction(meter.number("sap." + association), JdlmsClient.security(meter, association));
        }
        device.registerCosemObject(new Clock(meter.octets("clock"), meter.octets("since_octets")));
        device.registerCosemObject(
                new Data(meter.octets("profile_status"), DataObject.newUInteger8Data((short) 0)));
        for (String[] fields : meter.records("registers")) {
            device.registerCosemObject(new Register(fields));
        }
        device.registerCosemObject(new Profile(meter));
        device.registerCosemObject(new Data(meter.octets("event_code"), DataObject.newUInteger8Data((short) 0)));
        device.registerCosemObject(new History(meter, "event_log", "events", 1, "event_code"));
        device.registerCosemObject(new History(meter, "billing", "billings", 3, "energy_import"));
        device.registerCosemObject(new JdlmsControl.Breaker(meter.octets("breaker")));
        device.registerCosemObject(new JdlmsControl.ImageTransfer(meter));
        int port = freePort();
        ServerSessionLayerFactory layer = new Place(arguments[2]).isHdlc()
                ? ServerSessionLayerFactories.newHdlcSessionLayerFactory()
                : ServerSessionLayerFactories.newWrapperSessionLayerFactory();
        DlmsServer.tcpServerBuilder(port).setSessionLayerFactory(layer).registerLogicalDevice(device).build();
        report.listening(port);
        Thread.currentThread().join();
    }
}
