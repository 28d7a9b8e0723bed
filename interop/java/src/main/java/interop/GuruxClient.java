package interop;

import gurux.dlms.GXByteBuffer;
import gurux.dlms.GXReplyData;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.Security;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.secure.GXDLMSSecureClient;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** gurux.dlms reads the meter; the library makes and reads octets, the socket is ours. */
public final class GuruxClient {
    private static final Map<String, Authentication> AUTHENTICATIONS = Map.of(
            "none", Authentication.NONE, "lls", Authentication.LOW, "hls-gmac", Authentication.HIGH_GMAC);

    private final Meter meter;
    private final GXDLMSSecureClient client;
    private final Socket socket;

    private GuruxClient(Meter meter, int port, String association) throws Exception {
        this.meter = meter;
        client = new GXDLMSSecureClient(true, meter.number("sap." + association), meter.number("server_sap"),
                AUTHENTICATIONS.get(association), association.equals("lls") ? meter.text("password") : null,
                InterfaceType.WRAPPER);
        Set<Conformance> proposed = client.getProposedConformance();
        proposed.remove(Conformance.GENERAL_BLOCK_TRANSFER);
        proposed.remove(Conformance.GENERAL_PROTECTION);
        client.setProposedConformance(proposed);
        if (association.equals("hls-gmac")) {
            client.getCiphering().setSecurity(Security.AUTHENTICATION_ENCRYPTION);
            client.getCiphering().setSystemTitle(Meter.octetsOf("4752584a00000002"));
            client.getCiphering().setBlockCipherKey(meter.octets("encryption_key"));
            client.getCiphering().setAuthenticationKey(meter.octets("authentication_key"));
            client.getCiphering().setInvocationCounter(Instant.now().getEpochSecond());
        }
        socket = new Socket(meter.text("host"), port);
        socket.setSoTimeout(10_000);
        client.parseAareResponse(exchange(client.aarqRequest()).getData());
        if (client.getIsAuthenticationRequired()) {
            client.parseApplicationAssociationResponse(
                    exchange(client.getApplicationAssociationRequest()).getData());
        }
    }

    private void frame(byte[] request, GXReplyData reply) throws Exception {
        socket.getOutputStream().write(request);
        InputStream input = socket.getInputStream();
        GXByteBuffer received = new GXByteBuffer();
        byte[] octets = new byte[65536];
        do {
            int count = input.read(octets);
            if (count < 0) {
                throw new IOException("the meter closed the connection");
            }
            received.set(octets, 0, count);
        } while (!client.getData(received, reply, new GXReplyData()));
        if (reply.getError() != 0) {
            throw new IOException("data-access-result " + reply.getError());
        }
    }

    private GXReplyData exchange(byte[][] requests) throws Exception {
        GXReplyData reply = new GXReplyData();
        for (byte[] request : requests) {
            reply.clear();
            frame(request, reply);
            while (reply.isMoreData()) {
                frame(client.receiverReady(reply), reply);
            }
        }
        return reply;
    }

    private static long whole(Object value) {
        return ((Number) value).longValue();
    }

    private String register() throws Exception {
        GXDLMSRegister target = new GXDLMSRegister(meter.dotted("energy_import"));
        long value = whole(exchange(client.read(target, 2)).getValue());
        List<?> scalerUnit = (List<?>) exchange(client.read(target, 3)).getValue();
        return String.format("[%d, %d, %d]", value, whole(scalerUnit.get(0)), whole(scalerUnit.get(1)));
    }

    private String view() throws Exception {
        List<String> entries = new ArrayList<>();
        for (GXDLMSObject item : client.parseObjects(exchange(client.getObjectsRequest()).getData(), false)) {
            entries.add(String.format("[%d, %d, \"%s\"]", item.getObjectType().getValue(), item.getVersion(),
                    Meter.hexOf(Meter.logicalNameOf(item.getLogicalName()))));
        }
        return entries.toString();
    }

    private String profile() throws Exception {
        GXDLMSProfileGeneric target = new GXDLMSProfileGeneric(meter.dotted("load_profile"));
        client.updateValue(target, 3, exchange(client.read(target, 3)).getValue());
        Date since = Date.from(Instant.parse(meter.text("since")));
        Date until = Date.from(Instant.parse(meter.text("until")));
        List<?> rows = list(exchange(client.readRowsByRange(target, since, until)).getValue());
        List<String> lines = new ArrayList<>();
        for (Object row : rows) {
            List<?> cells = list(row);
            lines.add(String.format("[\"%s\", %d, %d, %d]", Meter.hexOf((byte[]) cells.get(0)),
                    whole(cells.get(1)), whole(cells.get(2)), whole(cells.get(3))));
        }
        return lines.toString();
    }

    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Arrays.asList((Object[]) value);
    }

    private String release() throws Exception {
        exchange(client.releaseRequest());
        socket.close();
        return "null";
    }

    public static void main(String[] arguments) throws Exception {
        Report report = new Report();
        Meter meter = new Meter(arguments[0]);
        GuruxClient[] reader = new GuruxClient[1];
        boolean open = report.of("association", () -> {
            reader[0] = new GuruxClient(meter, Integer.parseInt(arguments[1]), arguments[2]);
            return "null";
        });
        if (open) {
            report.of("register", reader[0]::register);
            report.of("view", reader[0]::view);
            report.of("profile", reader[0]::profile);
            report.of("release", reader[0]::release);
        }
        System.exit(0);
    }
}
