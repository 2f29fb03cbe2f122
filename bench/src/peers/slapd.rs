//! OpenLDAP's slapd with back-mdb, tuned as its manual advises.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use testing::ports;
use testing::process::run;

use crate::data::{ADMINISTRATOR, PASSWORD, SUFFIX};
use crate::peers::{Bench, Kind, Prepared, timed, unpinned};

pub(super) fn prepare(kind: Kind, bench: &Bench, folder: &Path) -> Result<Prepared> {
    let [ldap, ldaps] = ports::free::<2>()?;
    let (data, file) = (folder.join("db"), folder.join("slapd.conf"));
    fs::create_dir(&data)?;
    let configuration = configuration(kind);
    let places = format!(
        "TLSCACertificateFile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n",
        bench.ca.certificate.display(),
        bench.server.certificate.display(),
        bench.server.key.display(),
    );
    let text = configuration.replace("# (certificates)\n", &places);
    fs::write(&file, text.replace("# (directory)", &format!("directory {}", data.display())))?;
    let mut load = unpinned("/usr/sbin/slapadd");
    let import = timed(load.arg("-q").arg("-f").arg(&file).arg("-l").arg(&bench.ldif_member_of))?;
    let urls = format!("ldap://127.0.0.1:{ldap} ldaps://127.0.0.1:{ldaps}");
    Ok(Prepared {
        kind,
        version: version()?,
        configuration,
        import,
        disk: vec![data],
        ldap,
        ldaps,
        ca: bench.ca.certificate.clone(),
        administrator: ADMINISTRATOR.to_owned(),
        password: PASSWORD.to_owned(),
        program: kind.program(),
        // -d keeps it in the foreground; level 0 keeps it quiet.
        arguments: ["-d", "0", "-h", &urls, "-f"]
            .map(Into::into)
            .into_iter()
            .chain([file.into_os_string()])
            .collect(),
        folder: folder.to_owned(),
        pinned: bench.pinned,
        instance: None,
    })
}

/// slapd tells its version on standard error.
fn version() -> Result<String> {
    let told = run(Command::new("/usr/sbin/slapd").arg("-VV"))?;
    let line = told.stderr.lines().find(|line| line.contains("OpenLDAP")).unwrap_or_default();
    let words = line.split("OpenLDAP: ").nth(1).unwrap_or(line);
    Ok(words.split(" (").next().unwrap_or(words).trim().to_owned())
}

/// The same indexes as ours. Of `memberof` only the attribute is used, not the overlay: its values
/// are loaded, and what slapd has to do for a write is less than it would be with it.
fn configuration(kind: Kind) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson", "nis"] {
        let _ = writeln!(text, "include /etc/ldap/schema/{schema}.schema");
    }
    let _ = write!(
        text,
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         loglevel none\nthreads 4\ntool-threads 2\nsizelimit unlimited\ntimelimit unlimited\n\
         # (certificates)\n\
         access to attrs=userPassword by * auth\naccess to * by * read\n\
         database mdb\nsuffix {SUFFIX}\nrootdn {ADMINISTRATOR}\nrootpw {PASSWORD}\n\
         # (directory)\nmaxsize 68719476736\n\
         index objectClass,entryUUID,telephoneNumber,employeeNumber,ou,o,dc eq\n\
         index uidNumber,gidNumber pres,eq\nindex memberUid,member,memberOf eq\n\
         index uid,cn,sn,givenName,displayName eq,sub\nindex mail pres,eq,sub\n"
    );
    if kind == Kind::SlapdMultival {
        text.push_str("sortvals member\nmultival member 1000,500\n");
    }
    text
}
