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
            String told = String.valueOf(error).replace("\\", "\\\\").replace("\"", "'").replaceAll("\\s+", " ");
            out.println("{\"reading\": \"" + name + "\", \"error\": \"" + told + "\"}");
            out.flush();
            return false;
        }
    }

    /** What a server says when it listens. */
    void listening(int port) {
        out.println("{\"port\": " + port + "}");
        out.flush();
    }
}
