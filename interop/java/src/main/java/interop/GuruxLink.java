package interop;

import gurux.dlms.GXByteBuffer;
import gurux.dlms.GXDLMSClient;
import gurux.dlms.GXReplyData;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;

/** What gurux.dlms' client makes and reads, over a socket. */
final class GuruxLink {
    /** The meter answered with a data-access-result or action-result other than success. */
    static final class Refused extends IOException {
        private static final long serialVersionUID = 1L;
        private final int code;

        Refused(int code) {
            super("result " + code);
            this.code = code;
        }

        int code() {
            return code;
        }
    }

    private final GXDLMSClient client;
    private final Socket socket;
    private final GXByteBuffer received = new GXByteBuffer();

    GuruxLink(GXDLMSClient client, String host, int port) throws IOException {
        this.client = client;
        socket = new Socket(host, port);
        socket.setSoTimeout(10_000);
    }

    /** No request: of a window of blocks, the next one comes unasked, or has come already. */
    private void frame(byte[] request, GXReplyData reply) throws Exception {
        if (request != null) {
            received.clear();
            socket.getOutputStream().write(request);
        }
        InputStream input = socket.getInputStream();
        byte[] octets = new byte[65536];
        while (received.available() == 0 || !client.getData(received, reply, new GXReplyData())) {
            int count = input.read(octets);
            if (count < 0) {
                throw new IOException("the meter closed the connection");
            }
            received.set(octets, 0, count);
        }
        if (reply.getError() != 0) {
            throw new Refused(reply.getError());
        }
    }

    GXReplyData exchange(byte[] request) throws Exception {
        return exchange(new byte[][] {request});
    }

    GXReplyData exchange(byte[][] requests) throws Exception {
        GXReplyData reply = new GXReplyData();
        for (byte[] request : requests) {
            reply.clear();
            frame(request, reply);
            while (reply.isMoreData()) {
                frame(reply.isStreaming() ? null : client.receiverReady(reply), reply);
            }
        }
        return reply;
    }

    void close() throws IOException {
        socket.close();
    }
}
