package interop;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** The description of the meter, written by the Python side as a file of properties; and hexadecimal helpers. */
final class Meter {
    private final Properties properties = new Properties();

    Meter(String path) throws IOException {
        try (Reader reader = Files.newBufferedReader(Path.of(path), StandardCharsets.US_ASCII)) {
            properties.load(reader);
        }
    }

    String text(String key) {
        String value = properties.getProperty(key);
        if (value == null) {
            throw new IllegalArgumentException("the description lacks " + key);
        }
        return value;
    }

    int number(String key) {
        return Integer.parseInt(text(key));
    }

    byte[] octets(String key) {
        return octetsOf(text(key));
    }

    /** A logical name as six decimal numbers with dots. */
    String dotted(String key) {
        return dottedOf(octets(key));
    }

    /** Fields separated by commas, records by semicolons. */
    List<String[]> records(String key) {
        List<String[]> records = new ArrayList<>();
        for (String line : text(key).split(";")) {
            records.add(line.split(","));
        }
        return records;
    }

    static byte[] octetsOf(String hex) {
        byte[] octets = new byte[hex.length() / 2];
        for (int i = 0; i < octets.length; i++) {
            octets[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return octets;
    }

    static String hexOf(byte[] octets) {
        StringBuilder hex = new StringBuilder();
        for (byte octet : octets) {
            hex.append(String.format("%02x", octet));
        }
        return hex.toString();
    }

    static String dottedOf(byte[] logicalName) {
        List<String> parts = new ArrayList<>();
        for (byte octet : logicalName) {
            parts.add(Integer.toString(octet & 0xff));
        }
        return String.join(".", parts);
    }

    static byte[] logicalNameOf(String dotted) {
        String[] parts = dotted.split("\\.");
        byte[] octets = new byte[parts.length];
        for (int i = 0; i < parts.length; i++) {
            octets[i] = (byte) Integer.parseInt(parts[i]);
        }
        return octets;
    }
}
