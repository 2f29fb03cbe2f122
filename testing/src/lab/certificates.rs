//! Chains with one fault each, made by OpenSSL. Keys are made once: they are what takes time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Lab, NAME};
use crate::process::run_checked;

pub const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Where the keys of all chains are.
#[derive(Clone, Debug)]
pub struct Keys(PathBuf);

impl Keys {
    pub fn make(folder: &Path) -> Result<Keys> {
        for (name, kind) in [
            ("root", P256),
            ("issuing", P256),
            ("stranger", P256),
            ("own", P256),
            ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
            ("short", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
        ] {
            let file = format!("{name}.key");
            openssl(folder, &[&["genpkey", "-out", &file], kind].concat())?;
        }
        Ok(Keys(folder.to_owned()))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(format!("{name}.key")).display().to_string()
    }
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const AUTHORITY: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

/// What a server shows, and what is trusted.
#[derive(Clone, Debug)]
pub struct Material {
    pub chain: PathBuf,
    /// The server's own alone.
    pub own: PathBuf,
    pub key: PathBuf,
    /// What applications trust.
    pub ca: PathBuf,
}

/// How a chain is made; [`GOOD`] is what is right.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub id: &'static str,
    /// The true cause of what fails.
    pub cause: &'static str,
    /// Extensions of the server's certificate, but for its names.
    own: &'static str,
    names: &'static str,
    subject: &'static str,
    issuing: &'static str,
    /// The issuing CA's name.
    issuer: &'static str,
    key: &'static str,
    digest: &'static str,
    /// From when on, in days from today, and for how many days: the server's, the issuing CA's.
    from_day: i32,
    days: i32,
    issuing_days: i32,
    /// Extensions of a further CA between the issuing CA and the server's, where there is one.
    lower: Option<&'static str>,
    sent: Sent,
    trusts: Trusts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Whole,
    OwnOnly,
    /// The root before the issuing CA.
    Disordered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trusts {
    Root,
    Another,
}

const SERVER: &str = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n\
    keyUsage=digitalSignature,keyEncipherment\n";

pub const GOOD: Variant = Variant {
    id: "good",
    cause: "",
    own: SERVER,
    names: "DNS:dc1.corp.example",
    subject: "/O=Corp/CN=dc1.corp.example",
    issuing: AUTHORITY,
    issuer: "/O=Corp/CN=Issuing",
    key: "own",
    digest: "-sha256",
    from_day: 0,
    days: 365,
    issuing_days: 1000,
    lower: None,
    sent: Sent::Whole,
    trusts: Trusts::Root,
};

pub const GOOD_RSA: Variant = Variant { id: "good-rsa", key: "rsa", ..GOOD };

pub const ALL: &[Variant] = &[
    Variant { id: "expired", cause: "CERT-EXPIRED", days: -1, ..GOOD },
    Variant { id: "expired-issuing", cause: "CERT-EXPIRED", issuing_days: -1, ..GOOD },
    Variant { id: "not-yet", cause: "CLOCK", from_day: 30, ..GOOD },
    Variant { id: "other-name", cause: "NAME-MISMATCH", names: "DNS:www.corp.example", ..OTHER },
    Variant { id: "short-name", cause: "NAME-MISMATCH", names: "DNS:dc1", ..OTHER },
    Variant { id: "domain-name", cause: "NAME-MISMATCH", names: "DNS:corp.example", ..OTHER },
    Variant { id: "wildcard-too-high", cause: "NAME-MISMATCH", names: "DNS:*.example", ..OTHER },
    Variant { id: "address-only", cause: "NAME-MISMATCH", names: "IP:192.0.2.1", ..OTHER },
    Variant { id: "subject-only", cause: "CERT-NO-SAN", names: "", ..GOOD },
    Variant {
        id: "clients-only",
        cause: "EKU",
        own: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n",
        ..GOOD
    },
    Variant {
        id: "for-code-only",
        cause: "EKU",
        own: "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=codeSigning\n",
        ..GOOD
    },
    Variant { id: "issuing-not-sent", cause: "TRUST-CHAIN", sent: Sent::OwnOnly, ..GOOD },
    Variant { id: "disordered", cause: "CHAIN-ORDER", sent: Sent::Disordered, ..GOOD },
    Variant { id: "other-ca", cause: "TRUST-CA", trusts: Trusts::Another, ..GOOD },
    Variant {
        id: "issued-by-no-ca",
        cause: "CERT-OTHER",
        issuing: "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n",
        ..GOOD
    },
    Variant {
        id: "ca-for-other-names",
        cause: "CERT-OTHER",
        issuing: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                  nameConstraints=critical,permitted;DNS:example.org\n",
        ..GOOD
    },
    Variant {
        id: "one-ca-too-many",
        cause: "CERT-OTHER",
        issuing: "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n",
        lower: Some(AUTHORITY),
        ..GOOD
    },
    Variant {
        id: "a-ca-as-server",
        cause: "CERT-OTHER",
        own: "basicConstraints=critical,CA:TRUE\n",
        ..GOOD
    },
    Variant { id: "short-key", cause: "WEAK-CRYPTO", key: "short", ..GOOD },
    Variant { id: "sha1", cause: "WEAK-CRYPTO", digest: "-sha1", ..GOOD },
    Variant { id: "ends-soon", cause: "EXPIRY", days: 9, ..GOOD },
];

/// Its name is nowhere in it, not even in the subject.
const OTHER: Variant = Variant { subject: "/O=Corp/CN=another", ..GOOD };

impl Variant {
    pub fn named(id: &str) -> Variant {
        ALL.iter().copied().find(|one| one.id == id).unwrap_or(GOOD)
    }

    /// As good as [`GOOD`], from a CA of another name.
    /// Who signs the server's: the issuing CA, or a further one that it has signed.
    fn below(&self, folder: &Path, keys: &Keys) -> Result<(&'static str, String)> {
        let Some(extensions) = self.lower else { return Ok(("issuing", keys.file("issuing"))) };
        let lower = Signed {
            name: "lower",
            key: keys.file("stranger"),
            subject: "/O=Corp/CN=Lower issuing",
            issuer: "issuing",
            issuer_key: keys.file("issuing"),
            extensions: extensions.to_owned(),
            digest: "-sha256",
            days: self.issuing_days,
            from_day: 0,
        };
        lower.make(folder)?;
        Ok(("lower", keys.file("stranger")))
    }

    /// One that signed itself; nobody's CA is in it.
    pub fn by_itself(lab: &Lab) -> Result<Material> {
        let good = GOOD.make(lab)?;
        let folder = lab.folder("by-itself")?;
        let (key, own) = (good.key, folder.join("own.pem"));
        let (key_text, own_text) = (key.display().to_string(), own.display().to_string());
        let made = ["req", "-x509", "-new", "-key", &key_text, "-out", &own_text, "-days", "365"];
        let names = ["-subj", GOOD.subject, "-addext", "subjectAltName=DNS:dc1.corp.example"];
        let rest = ["-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&folder, &[&made[..], &names, &rest].concat())?;
        Ok(Material { chain: own.clone(), own, key, ca: good.ca })
    }

    pub fn by_another_issuer() -> Variant {
        Variant { id: "another-issuer", issuer: "/O=Corp/CN=Another issuing CA", ..GOOD }
    }

    pub fn make(&self, lab: &Lab) -> Result<Material> {
        self.make_with(lab, "")
    }

    /// With further extensions of the server's certificate.
    pub fn make_with(&self, lab: &Lab, more: &str) -> Result<Material> {
        let folder = lab.folder(self.id)?;
        let keys = &lab.keys;
        root(&folder, "root", keys)?;
        let issuing = Signed {
            name: "issuing",
            key: keys.file("issuing"),
            subject: self.issuer,
            issuer: "root",
            issuer_key: keys.file("root"),
            extensions: self.issuing.to_owned(),
            digest: "-sha256",
            days: self.issuing_days,
            from_day: 0,
        };
        issuing.make(&folder)?;
        let issuer = self.below(&folder, keys)?;
        let mut extensions = format!("{}{more}", self.own);
        if !self.names.is_empty() {
            extensions += &format!("subjectAltName={}\n", self.names);
        }
        let own = Signed {
            name: "own",
            key: keys.file(self.key),
            subject: self.subject,
            issuer: issuer.0,
            issuer_key: issuer.1,
            extensions,
            digest: self.digest,
            days: self.days,
            from_day: self.from_day,
        };
        own.make(&folder)?;
        let read = |name: &str| fs::read_to_string(folder.join(name));
        let (own, root_pem) = (read("own.pem")?, read("root.pem")?);
        let lower = if self.lower.is_some() { read("lower.pem")? } else { String::new() };
        let issuing = lower + &read("issuing.pem")?;
        let chain = match self.sent {
            Sent::Whole => own + &issuing,
            Sent::OwnOnly => own,
            Sent::Disordered => own + &root_pem + &issuing,
        };
        fs::write(folder.join("chain.pem"), chain)?;
        let ca = match self.trusts {
            Trusts::Root => folder.join("root.pem"),
            Trusts::Another => {
                root(&folder, "stranger", keys)?;
                folder.join("stranger.pem")
            }
        };
        fs::copy(keys.file("issuing"), folder.join("issuing.key"))?;
        let key = folder.join("own.key");
        fs::copy(keys.file(self.key), &key)?;
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        let (chain, own) = (folder.join("chain.pem"), folder.join("own.pem"));
        Ok(Material { chain, own, key, ca })
    }
}

/// The list of what the issuing CA has revoked, DER: the server's certificate, or nothing.
/// A list without a number is one of version 1.
pub fn revocations(material: &Material, is_revoked: bool, version: u8) -> Result<Vec<u8>> {
    let Some(folder) = material.own.parent() else { return Ok(Vec::new()) };
    let mut ask = Command::new("openssl");
    ask.args(["x509", "-noout", "-serial", "-in"]).arg(&material.own);
    let serial = run_checked(&mut ask)?;
    let serial = serial.trim().trim_start_matches("serial=");
    let row = format!("R\t350101000000Z\t260101000000Z\t{serial}\tunknown\t/CN=revoked\n");
    fs::write(folder.join("index.txt"), if is_revoked { row } else { String::new() })?;
    let mut config = "[ca]\ndefault_ca=one\n[one]\ndatabase=index.txt\ndefault_md=sha256\n\
                      default_crl_days=30\n"
        .to_owned();
    if version > 1 {
        config += "crlnumber=number\n";
    }
    fs::write(folder.join("number"), "01\n")?;
    fs::write(folder.join("ca.cnf"), config)?;
    let key = folder.join("issuing.key").display().to_string();
    let made = ["ca", "-gencrl", "-config", "ca.cnf", "-cert", "issuing.pem", "-keyfile", &key];
    openssl(folder, &[&made[..], &["-out", "list.pem"]].concat())?;
    openssl(folder, &["crl", "-in", "list.pem", "-outform", "DER", "-out", "list.crl"])?;
    Ok(fs::read(folder.join("list.crl"))?)
}

fn root(folder: &Path, name: &str, keys: &Keys) -> Result<()> {
    let (key, out) = (keys.file(name), format!("{name}.pem"));
    // Nothing that tells whose it is: one CA is not known by the organisation of another.
    let subject = if name == "root" { "/O=Corp/CN=Root" } else { "/O=Strangers/CN=Stranger" };
    let made = ["req", "-x509", "-new", "-key", &key, "-out", &out, "-days", "3650"];
    let extensions = ["-subj", subject, "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    openssl(folder, &[&made[..], &extensions].concat())
}

/// One certificate and who signs it.
struct Signed<'a> {
    name: &'a str,
    key: String,
    subject: &'a str,
    issuer: &'a str,
    issuer_key: String,
    extensions: String,
    digest: &'a str,
    days: i32,
    from_day: i32,
}

impl Signed<'_> {
    fn make(&self, folder: &Path) -> Result<()> {
        let [request, out, texts] =
            ["csr", "pem", "ext"].map(|ending| format!("{}.{ending}", self.name));
        fs::write(folder.join(&texts), &self.extensions)?;
        let subject = ["-subj", self.subject];
        openssl(
            folder,
            &[&["req", "-new", "-key", &self.key, "-out", &request][..], &subject].concat(),
        )?;
        let issuer = format!("{}.pem", self.issuer);
        let days = self.days.to_string();
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["x509", "-req", "-in", &request, "-CA", &issuer]);
        command.args(["-CAkey", &self.issuer_key, "-CAcreateserial", "-extfile", &texts]);
        command.args(["-out", &out, "-days", &days, self.digest]);
        if self.from_day != 0 {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", format!("+{}d", self.from_day));
        }
        run_checked(&mut command).map(drop)
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    run_checked(Command::new("openssl").current_dir(folder).args(arguments)).map(drop)
}

/// What the doctor is told: the name, the CA, and where it is.
pub fn target(port: u16) -> String {
    format!("ldaps://{NAME}:{port}")
}
