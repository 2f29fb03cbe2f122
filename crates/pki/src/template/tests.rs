//! Requests against a template.

use super::*;

const TEXT: &str = r#"
[crl]
urls = ["http://ca.example.com/crl.pem"]
days = 7

[[template]]
name = "server"
purposes = ["serverAuth"]
key-usage = ["digitalSignature", "keyEncipherment"]
keys = ["p256", "rsa"]
subject = "first-name"
names = ["entry:host", "dns:*.lab.example.com"]
enrol = ['group "cn=servers,dc=example,dc=com"']
lifetime-days = 90
renew-before-days = 30

[[template]]
name = "client"
purposes = ["clientAuth"]
enrol = ["self"]
lifetime-days = 365
"#;

fn request() -> SigningRequest {
    SigningRequest {
        subject: String::new(),
        subject_der: Vec::new(),
        common_name: None,
        public_key: Vec::new(),
        key: KeyKind::P256,
        names: vec![AlternativeName::Dns("a.example.com".to_owned())],
        purposes: Vec::new(),
        key_usages: Vec::new(),
        is_ca: false,
        others: Vec::new(),
    }
}

#[test]
fn what_is_granted_is_what_the_template_says() {
    let templates = Templates::parse(TEXT).unwrap();
    assert_eq!((templates.crl.days, templates.template.len()), (7, 2));
    let server = templates.named("server").unwrap();
    let client = templates.named("client").unwrap();
    assert_eq!(server.renew_before(), Duration::days(30));
    assert_eq!(client.renew_before(), Duration::days(365) / 3);
    let entry = crate::authority::subject_of(&[vec![("uid", "anna")], vec![("dc", "test")]]);
    let entry = entry.unwrap();
    let has = |attribute: &str, value: &str| (attribute, value) == ("host", "a.example.com");
    let requester = Requester { entry: Some(entry.clone()), has: &has, any_name: false };
    let wish = server.grant(&request(), &requester, &templates.crl.urls).unwrap();
    assert_eq!(wish.names, request().names);
    assert_eq!(wish.key_usages, [KeyUsage::DigitalSignature]);
    assert_eq!(wish.crl_urls, templates.crl.urls);
    let rsa = SigningRequest { key: KeyKind::Rsa { bits: 2048 }, ..request() };
    let wish = server.grant(&rsa, &requester, &[]).unwrap();
    assert_eq!(wish.key_usages, [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]);
    let in_subject = SigningRequest {
        common_name: Some("x.lab.example.com".to_owned()),
        names: Vec::new(),
        ..request()
    };
    let wish = server.grant(&in_subject, &requester, &[]).unwrap();
    assert_eq!(wish.names, [AlternativeName::Dns("x.lab.example.com".to_owned())]);
    // Whatever the request calls itself, a client is its entry.
    let other = SigningRequest { subject: "CN=admin".to_owned(), names: Vec::new(), ..request() };
    assert_eq!(client.grant(&other, &requester, &[]).unwrap().subject, entry);
}

#[test]
fn everything_that_is_not_granted_is_told() {
    let templates = Templates::parse(TEXT).unwrap();
    let nobody = Requester { entry: None, has: &|_, _| false, any_name: false };
    type Change = fn(&mut SigningRequest);
    let cases: [(&str, Change, &[&str]); 9] = [
        ("server", |_| {}, &["the name a.example.com is not among"]),
        ("server", |asked| asked.names.clear(), &["the request has no name"]),
        ("server", |asked| asked.key = KeyKind::P384, &["the key is EC P-384; the", "the name"]),
        (
            "server",
            |asked| asked.key = KeyKind::Rsa { bits: 1024 },
            &["the key is RSA of 1024 bits; the template allows EC P-256, RSA of at", "the name"],
        ),
        ("client", |asked| asked.names.clear(), &["you signed in as none"]),
        ("client", |_| {}, &["the name a.example.com is not among", "you signed in as none"]),
        (
            "server",
            |asked| asked.purposes = vec!["clientAuth".to_owned()],
            &["the purpose clientAuth is not one of the template's: serverAuth", "the name"],
        ),
        (
            "server",
            |asked| asked.key_usages = vec![KeyUsage::KeyCertSign],
            &["the key usage keyCertSign is not one", "the name"],
        ),
        (
            "server",
            |asked| (asked.is_ca, asked.others) = (true, vec!["1.2.3.4".to_owned()]),
            &["asks for a CA certificate", "asks for the extension 1.2.3.4", "the name"],
        ),
    ];
    for (template, change, expected) in cases {
        let mut asked = request();
        change(&mut asked);
        let refused = templates.named(template).unwrap().grant(&asked, &nobody, &[]).unwrap_err();
        let said: Vec<String> = refused.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for part in expected {
            assert!(said.iter().any(|one| one.contains(part)), "{part}: {said:?}");
        }
    }
    let operator = Requester { any_name: true, ..nobody };
    assert!(templates.named("server").unwrap().grant(&request(), &operator, &[]).is_ok());
}

#[test]
fn faults_of_the_text_have_a_line() {
    for (old, new, line, expected) in [
        ("days = 7", "dayz = 7", 4, "unknown field `dayz`"),
        ("days = 7", "days = 0", 1, "crl.days: from 1 to 365"),
        ("\"http://ca", "\"ca", 1, "is no URL"),
        ("entry:host", "host", 12, "is no pattern of a name; right is dns:"),
        ("lifetime-days = 90", "", 6, "missing field `lifetime-days`"),
        ("lifetime-days = 90", "lifetime-days = 0", 7, "lifetime-days must be at least 1"),
        ("lifetime-days = 90", "lifetime-days = 90\nper-day = 0", 7, "per-day must be at least 1"),
        ("\"serverAuth\"", "\"server\"", 7, "is no purpose; right is serverAuth"),
        ("\"p256\"", "\"p257\"", 10, "unknown variant `p257`"),
        ("\"client\"", "\"a client\"", 18, "letters, digits, - and _ are allowed"),
        ("[[template]]", "[[template", 6, "unclosed"),
    ] {
        assert!(TEXT.contains(old), "{old}");
        let fault = Templates::parse(&TEXT.replacen(old, new, 1)).unwrap_err();
        assert_eq!(fault.line, line, "{fault}");
        assert!(fault.what.contains(expected), "{fault}");
    }
}
