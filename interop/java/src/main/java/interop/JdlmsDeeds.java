package interop;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openmuc.jdlms.AccessResultCode;
import org.openmuc.jdlms.AttributeAddress;
import org.openmuc.jdlms.DlmsConnection;
import org.openmuc.jdlms.MethodParameter;
import org.openmuc.jdlms.MethodResult;
import org.openmuc.jdlms.MethodResultCode;
import org.openmuc.jdlms.ObisCode;
import org.openmuc.jdlms.SelectiveAccessDescription;
import org.openmuc.jdlms.SetParameter;
import org.openmuc.jdlms.datatypes.DataObject;

/** What jDLMS does to the meter, and what it reads from it afterwards; each value is JSON. */
final class JdlmsDeeds {
    private static final DataObject NOTHING = DataObject.newInteger8Data((byte) 0);

    private final Meter meter;
    private final DlmsConnection connection;
    private final JdlmsClient wire;

    JdlmsDeeds(Meter meter, DlmsConnection connection, JdlmsClient wire) {
        this.meter = meter;
        this.connection = connection;
        this.wire = wire;
    }

    Map<String, Report.Reading> readings() {
        Map<String, Report.Reading> readings = new LinkedHashMap<>();
        readings.put("entries", this::entries);
        readings.put("message", this::message);
        readings.put("value", this::value);
        readings.put("holiday", this::holiday);
        readings.put("calendar", this::calendar);
        readings.put("threshold", this::threshold);
        readings.put("tariff", this::tariff);
        readings.put("image", this::image);
        readings.put("disconnect", this::disconnect);
        readings.put("reconnect", this::reconnect);
        readings.put("set-clock", this::setClock);
        readings.put("shift-clock", this::shiftClock);
        return readings;
    }

    private DataObject read(int classId, String key, int attribute) throws IOException {
        return wire.get(classId, key, attribute, null);
    }

    private DataObject write(int classId, String key, int attribute, DataObject data) throws IOException {
        AttributeAddress address = new AttributeAddress(classId, new ObisCode(meter.octets(key)), attribute);
        AccessResultCode result = connection.set(new SetParameter(address, data));
        if (result != AccessResultCode.SUCCESS) {
            throw new IOException(result.toString());
        }
        return read(classId, key, attribute);
    }

    private void act(int classId, String key, int method, DataObject data) throws IOException {
        ObisCode name = new ObisCode(meter.octets(key));
        MethodResult result = connection.action(new MethodParameter(classId, name, method, data));
        if (result.getResultCode() != MethodResultCode.SUCCESS) {
            throw new IOException(result.getResultCode().toString());
        }
    }

    private static String hex(DataObject data) {
        return "\"" + Meter.hexOf(data.<byte[]>getValue()) + "\"";
    }

    private static String number(DataObject data) {
        return String.valueOf(JdlmsClient.whole(data));
    }

    private DataObject octets(String key) {
        return DataObject.newOctetStringData(meter.octets(key));
    }

    private DataObject counter(String key) {
        return DataObject.newUInteger32Data(meter.number(key));
    }

    private String entries() throws IOException {
        DataObject selection = DataObject.newStructureData(counter("first_entry"), counter("last_entry"),
                DataObject.newUInteger16Data(1), DataObject.newUInteger16Data(0));
        return JdlmsClient.rows(wire.get(7, "load_profile", 2, new SelectiveAccessDescription(2, selection)));
    }

    private String message() throws IOException {
        return hex(write(1, "message", 2, octets("new_message")));
    }

    private String value() throws IOException {
        return number(write(3, "kept_register", 2, counter("new_value")));
    }

    private String holiday() throws IOException {
        act(11, "special_days", 1, DataObject.newStructureData(
                DataObject.newUInteger16Data(meter.number("new_holiday_index")), octets("new_holiday_date"),
                DataObject.newUInteger8Data((short) meter.number("new_holiday_day_id"))));
        List<String> lines = new ArrayList<>();
        for (DataObject entry : JdlmsClient.elements(read(11, "special_days", 2))) {
            List<DataObject> fields = JdlmsClient.elements(entry);
            lines.add(String.format("[%s, %s, %s]", number(fields.get(0)), hex(fields.get(1)),
                    number(fields.get(2))));
        }
        return lines.toString();
    }

    private String calendar() throws IOException {
        for (int active = 3; active <= 5; active++) {
            write(20, "calendar", active + 4, read(20, "calendar", active));
        }
        write(20, "calendar", 6, DataObject.newOctetStringData(meter.text("new_calendar").getBytes("US-ASCII")));
        act(20, "calendar", 1, NOTHING);
        return hex(read(20, "calendar", 2));
    }

    private String threshold() throws IOException {
        return number(write(71, "limiter", 4, counter("new_threshold")));
    }

    private String tariff() throws IOException {
        act(9, "tariff_scripts", 1, DataObject.newUInteger16Data(meter.number("peak_script")));
        return hex(read(6, "register_activation", 4));
    }

    private String image() throws IOException {
        byte[] image = meter.octets("image");
        int size = (int) JdlmsClient.whole(read(18, "image_transfer", 2));
        act(18, "image_transfer", 1, DataObject.newStructureData(octets("image_identifier"),
                DataObject.newUInteger32Data(image.length)));
        for (int at = 0; at < image.length; at += size) {
            byte[] block = Arrays.copyOfRange(image, at, Math.min(at + size, image.length));
            act(18, "image_transfer", 2, DataObject.newStructureData(DataObject.newUInteger32Data(at / size),
                    DataObject.newOctetStringData(block)));
        }
        act(18, "image_transfer", 3, NOTHING);
        act(18, "image_transfer", 4, NOTHING);
        return number(read(18, "image_transfer", 6));
    }

    private String disconnect() throws IOException {
        act(70, "breaker", 1, NOTHING);
        return number(read(70, "breaker", 3));
    }

    private String reconnect() throws IOException {
        act(70, "breaker", 2, NOTHING);
        return number(read(70, "breaker", 3));
    }

    private String setClock() throws IOException {
        return hex(write(8, "clock", 2, octets("clock_set_octets")));
    }

    private String shiftClock() throws IOException {
        act(8, "clock", 6, DataObject.newInteger16Data((short) meter.number("clock_shift")));
        return hex(read(8, "clock", 2));
    }
}
