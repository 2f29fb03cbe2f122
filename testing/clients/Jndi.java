// Signs in and searches over LDAPS with what Java has itself, trusting one truststore.
// java -Djavax.net.ssl.trustStore=FILE ... Jndi.java URL DN PASSWORD-FILE BASE

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Hashtable;
import javax.naming.Context;
import javax.naming.directory.InitialDirContext;
import javax.naming.directory.SearchControls;

public class Jndi {
    public static void main(String[] arguments) throws Exception {
        var environment = new Hashtable<String, String>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        environment.put(Context.PROVIDER_URL, arguments[0]);
        environment.put(Context.SECURITY_PRINCIPAL, arguments[1]);
        environment.put(Context.SECURITY_CREDENTIALS, Files.readString(Path.of(arguments[2])));
        var context = new InitialDirContext(environment);
        var controls = new SearchControls();
        controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
        var found = context.search(arguments[3], "(uid=anna)", controls);
        while (found.hasMore()) {
            System.out.println("found " + found.next().getNameInNamespace());
        }
        context.close();
    }
}
