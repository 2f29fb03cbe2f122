// A directory that is as small as one can be, over Java's own TLS: it answers its root DSE, one
// entry and a bind. Arguments: the port, a PKCS #12 store with the password "secret", and
// `need` for demanding a client certificate, `protocols=A,B`, or `bind=CODE,WORDS` for what it
// answers to a sign-in.

import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import java.security.SecureRandom;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

public final class Directory {
    private static int bindCode = 0;
    private static String bindWords = "";

    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        char[] password = "secret".toCharArray();
        try (InputStream file = new FileInputStream(arguments[1])) {
            store.load(file, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, new SecureRandom());
        int port = Integer.parseInt(arguments[0]);
        SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(port, 50, InetAddress.getLoopbackAddress());
        for (int at = 2; at < arguments.length; at++) {
            if (arguments[at].equals("need")) {
                server.setNeedClientAuth(true);
            } else if (arguments[at].startsWith("protocols=")) {
                server.setEnabledProtocols(arguments[at].substring(10).split(","));
            } else if (arguments[at].startsWith("bind=")) {
                String[] parts = arguments[at].substring(5).split(",", 2);
                bindCode = Integer.parseInt(parts[0]);
                bindWords = parts[1];
            }
        }
        System.out.println("listening on " + port);
        while (true) {
            SSLSocket socket = (SSLSocket) server.accept();
            Thread thread = new Thread(() -> serve(socket));
            thread.setDaemon(true);
            thread.start();
        }
    }

    private static void serve(SSLSocket socket) {
        try (socket) {
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            while (true) {
                byte[] message = read(in);
                if (message == null) {
                    return;
                }
                // The message id is one integer; what follows it is the operation.
                int length = message[1];
                byte[] id = java.util.Arrays.copyOfRange(message, 0, 2 + length);
                int operation = message[2 + length] & 0xff;
                if (operation == 0x42) {
                    return;
                } else if (operation == 0x60) {
                    byte[] code = {0x0a, 1, (byte) bindCode, 4, 0};
                    out.write(envelope(id, tlv(0x61, code, tlv(4, bindWords.getBytes()))));
                } else if (operation == 0x63) {
                    out.write(envelope(id, entry()));
                    out.write(envelope(id, result(0x65, 0)));
                } else {
                    out.write(envelope(id, result(0x78, 2)));
                }
                out.flush();
            }
        } catch (IOException ended) {
            // Whoever looks goes away as it likes.
        }
    }

    /// The content of one sequence.
    private static byte[] read(InputStream in) throws IOException {
        int tag = in.read();
        if (tag != 0x30) {
            return null;
        }
        int length = in.read();
        if (length > 0x80) {
            int count = length & 0x7f;
            length = 0;
            for (int at = 0; at < count; at++) {
                length = (length << 8) | in.read();
            }
        }
        if (length < 0 || length > 1 << 20) {
            return null;
        }
        byte[] content = in.readNBytes(length);
        return content.length == length ? content : null;
    }

    private static byte[] tlv(int tag, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (content.size() < 0x80) {
            out.write(content.size());
        } else {
            out.write(0x82);
            out.write(content.size() >> 8);
            out.write(content.size());
        }
        out.writeBytes(content.toByteArray());
        return out.toByteArray();
    }

    private static byte[] envelope(byte[] id, byte[] operation) {
        return tlv(0x30, id, operation);
    }

    private static byte[] result(int tag, int code) {
        return tlv(tag, new byte[] {0x0a, 1, (byte) code, 4, 0, 4, 0});
    }

    private static byte[] entry() {
        byte[] name = tlv(4, "namingContexts".getBytes());
        byte[] values = tlv(0x31, tlv(4, "dc=corp,dc=example".getBytes()));
        return tlv(0x64, tlv(4), tlv(0x30, tlv(0x30, name, values)));
    }
}
