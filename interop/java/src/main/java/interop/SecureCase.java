package interop;

import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.HashMap;
import java.util.Map;

/** One case of security: what the Python side says of it, in one line of words with an equals sign. */
final class SecureCase {
    private final Map<String, String> said = new HashMap<>();

    SecureCase(String line) {
        for (String word : line.trim().split(" ")) {
            int sign = word.indexOf('=');
            said.put(word.substring(0, sign), word.substring(sign + 1));
        }
    }

    String text(String key) {
        return said.getOrDefault(key, "");
    }

    int number(String key) {
        return Integer.parseInt(text(key));
    }

    byte[] octets(String key) {
        return Meter.octetsOf(text(key));
    }

    boolean has(String key) {
        return !text(key).isEmpty();
    }

    /** The peer's public key and the own private key: so the library wants them. */
    KeyPair keys(String use) throws Exception {
        KeyFactory factory = KeyFactory.getInstance("EC");
        return new KeyPair(factory.generatePublic(new X509EncodedKeySpec(octets(use + "_public"))),
                factory.generatePrivate(new PKCS8EncodedKeySpec(octets(use + "_private"))));
    }
}
