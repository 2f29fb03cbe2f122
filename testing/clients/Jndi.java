// Signs in over LDAPS with what Java itself has, and prints the name under which it did.
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Hashtable;
import javax.naming.Context;
import javax.naming.directory.DirContext;
import javax.naming.directory.InitialDirContext;

class Jndi {
    /** Arguments: URI, DN, the file with its password. The truststore comes by javax.net.ssl.*. */
    public static void main(String[] arguments) throws Exception {
        Hashtable<String, String> environment = new Hashtable<>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        environment.put(Context.PROVIDER_URL, arguments[0]);
        environment.put(Context.SECURITY_AUTHENTICATION, "simple");
        environment.put(Context.SECURITY_PRINCIPAL, arguments[1]);
        environment.put(Context.SECURITY_CREDENTIALS, Files.readString(Path.of(arguments[2])).strip());
        DirContext context = new InitialDirContext(environment);
        String[] wanted = {"entryDN"};
        System.out.println(context.getAttributes(arguments[1], wanted).get("entryDN").get());
        context.close();
    }
}
