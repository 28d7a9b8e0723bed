package interop;

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.openmuc.jdlms.AttributeAddress;
import org.openmuc.jdlms.AuthenticationMechanism;
import org.openmuc.jdlms.DlmsConnection;
import org.openmuc.jdlms.GetResult;
import org.openmuc.jdlms.ObisCode;
import org.openmuc.jdlms.SecuritySuite;
import org.openmuc.jdlms.SecuritySuite.EncryptionMechanism;
import org.openmuc.jdlms.SelectiveAccessDescription;
import org.openmuc.jdlms.TcpConnectionBuilder;
import org.openmuc.jdlms.datatypes.DataObject;

/** jDLMS reads the meter. */
public final class JdlmsClient implements Driver.Reader {
    private final Meter meter;
    private final DlmsConnection connection;

    private JdlmsClient(Meter meter, Place place, String association) throws IOException {
        this.meter = meter;
        TcpConnectionBuilder builder = new TcpConnectionBuilder(meter.text("host")).setPort(place.port());
        if (place.isHdlc()) {
            builder.useHdlc().setHdlcMaxInformationLength(place.maxInfo());
            if (place.address() > 1) {
                builder.setPhysicalDeviceAddress(Place.STATION);
            }
        } else {
            builder.useWrapper();
        }
        connection = builder.setClientId(meter.number("sap." + association))
                .setLogicalDeviceId(meter.number("server_sap"))
                .setSystemTitle("JDL", 2)
                .setFrameCounter(Instant.now().getEpochSecond())
                .setChallengeLength(32)
                .setSecuritySuite(security(meter, association))
                .build();
    }

    static SecuritySuite security(Meter meter, String association) {
        SecuritySuite.SecuritySuiteBuilder builder = SecuritySuite.builder();
        if (association.equals("lls")) {
            builder.setAuthenticationMechanism(AuthenticationMechanism.LOW)
                    .setPassword(meter.octets("password_octets"));
        }
        if (association.equals("hls-gmac")) {
            builder.setAuthenticationMechanism(AuthenticationMechanism.HLS5_GMAC)
                    .setEncryptionMechanism(EncryptionMechanism.AES_GCM_128)
                    .setGlobalUnicastEncryptionKey(meter.octets("encryption_key"))
                    .setAuthenticationKey(meter.octets("authentication_key"));
        }
        return builder.build();
    }

    DataObject get(int classId, String key, int attribute, SelectiveAccessDescription access)
            throws IOException {
        ObisCode name = new ObisCode(meter.octets(key));
        GetResult result = connection.get(new AttributeAddress(classId, name, attribute, access));
        if (!result.requestSuccessful()) {
            throw new IOException(result.getResultCode().toString());
        }
        return result.getResultData();
    }

    static long whole(DataObject data) {
        Number number = data.getValue();
        return number.longValue();
    }

    static List<DataObject> elements(DataObject data) {
        return data.getValue();
    }

    @Override
    public Map<String, Report.Reading> readings() {
        Map<String, Report.Reading> readings = new JdlmsDeeds(meter, connection, this).readings();
        readings.put("register", this::register);
        readings.put("view", this::view);
        readings.put("profile", this::profile);
        return readings;
    }

    private String register() throws IOException {
        long value = whole(get(3, "energy_import", 2, null));
        List<DataObject> scalerUnit = elements(get(3, "energy_import", 3, null));
        return String.format("[%d, %d, %d]", value, whole(scalerUnit.get(0)), whole(scalerUnit.get(1)));
    }

    private String view() throws IOException {
        List<String> entries = new ArrayList<>();
        for (DataObject entry : elements(get(15, "association_view", 2, null))) {
            List<DataObject> fields = elements(entry);
            byte[] name = fields.get(2).getValue();
            entries.add(String.format("[%d, %d, \"%s\"]", whole(fields.get(0)), whole(fields.get(1)),
                    Meter.hexOf(name)));
        }
        return entries.toString();
    }

    private String profile() throws IOException {
        DataObject range = DataObject.newStructureData(
                DataObject.newStructureData(DataObject.newUInteger16Data(8),
                        DataObject.newOctetStringData(meter.octets("clock")), DataObject.newInteger8Data((byte) 2),
                        DataObject.newUInteger16Data(0)),
                DataObject.newOctetStringData(meter.octets("since_octets")),
                DataObject.newOctetStringData(meter.octets("until_octets")),
                DataObject.newArrayData(Arrays.asList()));
        return rows(get(7, "load_profile", 2, new SelectiveAccessDescription(1, range)));
    }

    /** Rows of the load profile. */
    static String rows(DataObject buffer) {
        List<String> lines = new ArrayList<>();
        for (DataObject row : elements(buffer)) {
            List<DataObject> cells = elements(row);
            byte[] stamp = cells.get(0).getValue();
            lines.add(String.format("[\"%s\", %d, %d, %d]", Meter.hexOf(stamp), whole(cells.get(1)),
                    whole(cells.get(2)), whole(cells.get(3))));
        }
        return lines.toString();
    }

    @Override
    public String release() throws IOException {
        connection.close();
        return "null";
    }

    public static void main(String[] arguments) throws IOException {
        Driver.run(arguments, JdlmsClient::new);
    }
}
