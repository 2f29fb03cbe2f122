//! Requests made here, and what else is given in their place. Those of OpenSSL are in the suite.

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, SanType,
};

use super::*;
use crate::der::{self, tag};

fn request(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "ldap.example.com");
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[test]
fn everything_that_is_asked_for_is_read() {
    let der = request(|params| {
        let name = Ia5String::try_from("a.example.com").unwrap();
        params.subject_alt_names = vec![SanType::DnsName(name)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let strange = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        params.custom_extensions = vec![strange];
    });
    let pem = crate::pem::text("CERTIFICATE REQUEST", &der);
    let base64 = STANDARD.encode(&der);
    for content in [&der[..], pem.as_bytes(), base64.as_bytes()] {
        let read = SigningRequest::decode(content).unwrap();
        assert_eq!(read.subject, "CN=ldap.example.com");
        assert_eq!(read.common_name.as_deref(), Some("ldap.example.com"));
        assert_eq!(read.key, KeyKind::P384);
        assert_eq!(read.names, [AlternativeName::Dns("a.example.com".to_owned())]);
        assert_eq!(read.purposes, ["serverAuth"]);
        assert_eq!(read.key_usages, [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign]);
        assert!(read.is_ca);
        assert_eq!(read.others, ["1.2.3.4"]);
    }
}

#[test]
fn what_is_given_instead_is_named() {
    let good = request(|_| {});
    let mut altered = good.clone();
    let at = good.windows(4).position(|part| part == b"ldap").unwrap();
    altered[at] = b'L';
    let key = KeyPair::generate().unwrap().serialize_pem();
    let certificate = CertificateParams::new(vec!["a.test".to_owned()])
        .unwrap()
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    let (text, der) = (certificate.pem(), certificate.der().to_vec());
    for (content, expected) in [
        (&b""[..], "it is empty"),
        (b"hello there", "it is neither PEM nor base64 nor DER"),
        (b"\xff\xfe\x00", "it does not begin like one"),
        (b"0\x03\x02\x01\x03", "its structure is another"),
        (text.as_bytes(), "it is a certificate already"),
        (&der, "it is a certificate already"),
        (key.as_bytes(), "it is a private key, which should never leave its owner"),
        (&altered, "does not fit its key"),
        (&[&good[..], b"x"].concat(), "bytes follow it"),
        (&vec![b'0'; BYTES_MAX + 1], "larger than"),
    ] {
        let said = SigningRequest::decode(content).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let many: Vec<SanType> = (0..=NAMES_MAX)
        .map(|at| SanType::DnsName(Ia5String::try_from(format!("a{at}.test")).unwrap()))
        .collect();
    let refused = SigningRequest::decode(&request(|params| params.subject_alt_names = many));
    assert_eq!(refused.unwrap_err(), RequestRefused::TooManyNames { count: NAMES_MAX + 1 });
}

/// A request with these attributes, signed as it should be.
fn with_attributes(attributes: &[Vec<u8>]) -> Vec<u8> {
    use rcgen::{PublicKeyData, SigningKey};
    let key = KeyPair::generate().unwrap();
    let info = sequence(&[
        vec![2, 1, 0],
        sequence(&[]),
        key.subject_public_key_info(),
        der::write(0xa0, &attributes.concat()),
    ]);
    let signature = [&[0], &key.sign(&info).unwrap()[..]].concat();
    let ecdsa_with_sha256 = der::write(tag::OID, &der::oid(&[1, 2, 840, 10045, 4, 3, 2]));
    sequence(&[info, sequence(&[ecdsa_with_sha256]), der::write(tag::BIT_STRING, &signature)])
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der::write(tag::SEQUENCE, &parts.concat())
}

fn attribute(oid: &[u64], values: &[Vec<u8>]) -> Vec<u8> {
    let oid = der::write(tag::OID, &der::oid(oid));
    sequence(&[oid, der::write(tag::SET, &values.concat())])
}

fn extension(last_arc: u64, value: &[u8]) -> Vec<u8> {
    let oid = der::write(tag::OID, &der::oid(&[2, 5, 29, last_arc]));
    sequence(&[oid, der::write(tag::OCTET_STRING, value)])
}

#[test]
fn nothing_that_is_asked_for_is_dropped() {
    const LIST: &[u64] = &[1, 2, 840, 113549, 1, 9, 14];
    let san = |name: &str| extension(17, &sequence(&[der::write(0x82, name.as_bytes())]));
    let usage = |bits: &[u8]| extension(15, &der::write(tag::BIT_STRING, bits));
    let list = |extensions: &[Vec<u8>]| attribute(LIST, &[sequence(extensions)]);
    let one = list(&[san("a.test"), usage(&[1, 0b1000_0010])]);
    let challenge = attribute(&[1, 2, 840, 113549, 1, 9, 7], &[der::write(0x0c, b"secret")]);
    let good = SigningRequest::decode(&with_attributes(&[one.clone(), challenge])).unwrap();
    assert_eq!(good.key_usages, [KeyUsage::DigitalSignature, KeyUsage::CrlSign]);
    assert_eq!(good.names, [AlternativeName::Dns("a.test".to_owned())]);
    assert!(SigningRequest::decode(&with_attributes(&[])).is_ok());
    let trailing = [sequence(&[der::write(0x82, b"a.test")]), vec![5, 0]].concat();
    let (a, b) = (sequence(&[san("a.test")]), sequence(&[san("b.test")]));
    let microsoft = [1, 3, 6, 1, 4, 1, 311, 2, 1, 14];
    for (attributes, expected) in [
        (vec![one.clone(), list(&[san("b.test")])], "extensions in 2 places"),
        (vec![attribute(LIST, &[a.clone(), b])], "extensions in 2 places"),
        (vec![attribute(LIST, &[[a.clone(), vec![9]].concat()])], "attributes cannot be read"),
        (vec![attribute(&microsoft, std::slice::from_ref(&a))], "by Microsoft's attribute 1.3.6"),
        (vec![list(&[san("a.test"), san("b.test")])], "the extension 2.5.29.17 twice"),
        (vec![list(&[extension(17, &trailing)])], "follow the value of the requested extension"),
        (vec![list(&[usage(&[0, 0b1000_0001])])], "the key usage bit 7, which no template"),
        (vec![list(&[usage(&[7, 0b1000_0000, 0x80])])], "the key usage bit 8,"),
        (vec![list(&[usage(&[4, 0, 0, 0x10])])], "the key usage bit 19,"),
    ] {
        let said = SigningRequest::decode(&with_attributes(&attributes)).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}
