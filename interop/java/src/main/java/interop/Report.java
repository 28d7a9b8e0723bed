package interop;

import java.io.PrintStream;

/** Prints one JSON line for each reading; whatever the library prints itself goes to standard error. */
final class Report {
    /** One thing to read; answers JSON. */
    interface Reading {
        String read() throws Exception;
    }

    private final PrintStream out = System.out;

    Report() {
        System.setOut(System.err);
    }

    boolean of(String name, Reading reading) {
        try {
            out.println("{\"reading\": \"" + name + "\", \"value\": " + reading.read() + "}");
            out.flush();
            return true;
        } catch (Exception | LinkageError error) {
            out.println("{\"reading\": \"" + name + "\", \"error\": \"" + told(error) + "\"}");
            out.flush();
            return false;
        }
    }

    /** What was thrown, in one line that can stand between the quotes of JSON. */
    static String told(Throwable error) {
        return String.valueOf(error).replace("\\", "\\\\").replace("\"", "'").replaceAll("\\s+", " ");
    }

    /** What a server says when it listens. */
    void listening(int port) {
        out.println("{\"port\": " + port + "}");
        out.flush();
    }
}
