// Says of each server of a list whether Java accepts it, as its LDAP client looks at a server's
// certificate. Each line: what, port, name, CAs. java Accepts.java LIST

import java.io.FileInputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Accepts {
    public static void main(String[] arguments) throws Exception {
        for (var line : Files.readAllLines(Path.of(arguments[0]))) {
            var field = line.split("\t");
            var said = "accepted";
            try {
                shake(Integer.parseInt(field[1]), field[2], field[3]);
            } catch (Exception error) {
                said = (error + "; " + error.getCause()).replace('\n', ' ');
            }
            System.out.println(field[0] + "\t" + said);
        }
    }

    static void shake(int port, String name, String cas) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = new FileInputStream(cas)) {
            int number = 0;
            for (var one : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                store.setCertificateEntry("ca" + number++, one);
            }
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        try (var plain = new Socket("127.0.0.1", port);
                var socket = (SSLSocket)
                    context.getSocketFactory().createSocket(plain, name, port, true)) {
            socket.setSoTimeout(10000);
            var parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("LDAPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
        }
    }
}
