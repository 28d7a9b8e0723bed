package interop;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;

/** What the clients have in common: the command line, and the lines they print. */
final class Driver {
    /** A client with an open association. */
    interface Reader {
        /** All that it can be told to do. */
        Map<String, Report.Reading> readings();

        /** Releases the association and closes the connection. */
        String release() throws Exception;
    }

    /** Opens an association. */
    interface Connect {
        Reader to(Meter meter, Place place, String association) throws Exception;
    }

    private Driver() {
    }

    /** Reads the meter at the place and by the association that the command line names. */
    static void run(String[] arguments, Connect connect) throws IOException {
        Report report = new Report();
        Meter meter = new Meter(arguments[0]);
        Reader[] reader = new Reader[1];
        boolean open = report.of("association", () -> {
            reader[0] = connect.to(meter, new Place(arguments[1]), arguments[2]);
            return "null";
        });
        if (open) {
            Map<String, Report.Reading> readings = reader[0].readings();
            for (String reading : Arrays.asList(arguments).subList(3, arguments.length)) {
                report.of(reading, readings.get(reading));
            }
            report.of("release", reader[0]::release);
        }
        System.exit(0);
    }
}
