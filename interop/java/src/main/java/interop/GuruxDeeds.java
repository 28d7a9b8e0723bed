package interop;

import gurux.dlms.GXDate;
import gurux.dlms.GXDateTime;
import gurux.dlms.GXDLMSClient;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.DateTimeSkips;
import gurux.dlms.objects.GXDLMSActivityCalendar;
import gurux.dlms.objects.GXDLMSClock;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSDisconnectControl;
import gurux.dlms.objects.GXDLMSImageTransfer;
import gurux.dlms.objects.GXDLMSLimiter;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.objects.GXDLMSRegisterActivation;
import gurux.dlms.objects.GXDLMSScriptTable;
import gurux.dlms.objects.GXDLMSSpecialDay;
import gurux.dlms.objects.GXDLMSSpecialDaysTable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What gurux.dlms does to the meter, and what it reads from it afterwards; each value is JSON. */
final class GuruxDeeds {
    private final Meter meter;
    private final GXDLMSClient client;
    private final GuruxClient wire;

    GuruxDeeds(Meter meter, GXDLMSClient client, GuruxClient wire) {
        this.meter = meter;
        this.client = client;
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

    /** Reads an attribute into the object, and returns it as it came. */
    private Object read(GXDLMSObject target, int index) throws Exception {
        Object value = wire.exchange(client.read(target, index)).getValue();
        client.updateValue(target, index, value);
        return value;
    }

    private Object write(GXDLMSObject target, int index) throws Exception {
        wire.exchange(client.write(target, index));
        return read(target, index);
    }

    private static String hex(Object octets) {
        return "\"" + Meter.hexOf((byte[]) octets) + "\"";
    }

    private static String number(Object value) {
        return String.valueOf(GuruxClient.whole(value));
    }

    private String entries() throws Exception {
        GXDLMSProfileGeneric target = wire.named(new GXDLMSProfileGeneric(meter.dotted("load_profile")));
        read(target, 3);
        int first = meter.number("first_entry");
        byte[][] request = client.readRowsByEntry(target, first, meter.number("last_entry") - first + 1);
        return GuruxClient.rows(wire.exchange(request).getValue());
    }

    private String message() throws Exception {
        GXDLMSData target = wire.named(new GXDLMSData(meter.dotted("message")));
        target.setDataType(2, DataType.OCTET_STRING);
        target.setValue(meter.octets("new_message"));
        return hex(write(target, 2));
    }

    private String value() throws Exception {
        GXDLMSRegister target = wire.named(new GXDLMSRegister(meter.dotted("kept_register")));
        target.setDataType(2, DataType.UINT32);
        target.setValue((long) meter.number("new_value"));
        return number(write(target, 2));
    }

    private String holiday() throws Exception {
        GXDLMSSpecialDaysTable target = new GXDLMSSpecialDaysTable(meter.dotted("special_days"));
        GXDLMSSpecialDay entry = new GXDLMSSpecialDay();
        byte[] date = meter.octets("new_holiday_date");
        GXDate day = new GXDate((date[0] & 0xff) << 8 | date[1] & 0xff, date[2], date[3]);
        day.setSkip(EnumSet.of(DateTimeSkips.DAY_OF_WEEK));
        entry.setIndex(meter.number("new_holiday_index"));
        entry.setDate(day);
        entry.setDayId(meter.number("new_holiday_day_id"));
        wire.exchange(target.insert(client, entry));
        List<String> lines = new ArrayList<>();
        for (Object line : GuruxClient.list(read(target, 2))) {
            List<?> fields = GuruxClient.list(line);
            lines.add(String.format("[%s, %s, %s]", number(fields.get(0)), hex(fields.get(1)),
                    number(fields.get(2))));
        }
        return lines.toString();
    }

    private String calendar() throws Exception {
        GXDLMSActivityCalendar target = new GXDLMSActivityCalendar(meter.dotted("calendar"));
        for (int index = 3; index <= 5; index++) {
            read(target, index);
        }
        target.setSeasonProfilePassive(target.getSeasonProfileActive());
        target.setWeekProfileTablePassive(target.getWeekProfileTableActive());
        target.setDayProfileTablePassive(target.getDayProfileTableActive());
        target.setCalendarNamePassive(meter.text("new_calendar"));
        for (int index = 6; index <= 9; index++) {
            write(target, index);
        }
        wire.exchange(target.activatePassiveCalendar(client));
        return hex(read(target, 2));
    }

    private String threshold() throws Exception {
        GXDLMSLimiter target = new GXDLMSLimiter(meter.dotted("limiter"));
        target.setDataType(4, DataType.UINT32);
        target.setThresholdNormal((long) meter.number("new_threshold"));
        return number(write(target, 4));
    }

    private String tariff() throws Exception {
        GXDLMSScriptTable scripts = new GXDLMSScriptTable(meter.dotted("tariff_scripts"));
        wire.exchange(scripts.execute(client, meter.number("peak_script")));
        return hex(read(new GXDLMSRegisterActivation(meter.dotted("register_activation")), 4));
    }

    private String image() throws Exception {
        GXDLMSImageTransfer target = new GXDLMSImageTransfer(meter.dotted("image_transfer"));
        byte[] image = meter.octets("image");
        read(target, 2);
        wire.exchange(target.imageTransferInitiate(client, meter.octets("image_identifier"), image.length));
        wire.exchange(target.imageBlockTransfer(client, image, new int[1]));
        wire.exchange(target.imageVerify(client));
        wire.exchange(target.imageActivate(client));
        return number(read(target, 6));
    }

    private String disconnect() throws Exception {
        GXDLMSDisconnectControl target = wire.named(new GXDLMSDisconnectControl(meter.dotted("breaker")));
        wire.exchange(target.remoteDisconnect(client));
        return number(read(target, 3));
    }

    private String reconnect() throws Exception {
        GXDLMSDisconnectControl target = wire.named(new GXDLMSDisconnectControl(meter.dotted("breaker")));
        wire.exchange(target.remoteReconnect(client));
        return number(read(target, 3));
    }

    private String setClock() throws Exception {
        GXDLMSClock target = wire.named(new GXDLMSClock(meter.dotted("clock")));
        target.setTime(new GXDateTime(Date.from(Instant.parse(meter.text("clock_set")))));
        return hex(write(target, 2));
    }

    private String shiftClock() throws Exception {
        GXDLMSClock target = wire.named(new GXDLMSClock(meter.dotted("clock")));
        wire.exchange(target.shiftTime(client, meter.number("clock_shift")));
        return hex(read(target, 2));
    }
}
