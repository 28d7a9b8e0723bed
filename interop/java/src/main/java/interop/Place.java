package interop;

/** Where a client finds the meter: the name of a way (see the Python side), and behind an at sign its port. */
final class Place {
    /** The lower HDLC address of the meter. */
    static final int STATION = 17;

    private final String[] way;
    private final int port;

    Place(String text) {
        String[] parts = text.split("@");
        way = parts[0].split("-");
        port = parts.length > 1 ? Integer.parseInt(parts[1]) : 0;
    }

    int port() {
        return port;
    }

    boolean isHdlc() {
        return way[0].equals("hdlc");
    }

    /** Whether short names stand in place of logical ones. */
    boolean isShortNames() {
        return way[0].equals("sn");
    }

    /** Whether what is long goes in general blocks; then the window is theirs. */
    boolean isGeneralBlocks() {
        return way[0].equals("gbt");
    }

    int window() {
        return number(1);
    }

    /** Octets of an information field. */
    int maxInfo() {
        return number(2);
    }

    /** Octets of the server address. */
    int address() {
        return number(3);
    }

    private int number(int part) {
        return Integer.parseInt(way[part].substring(1));
    }
}
