//! The schema files inside the binary, in RFC 4512 text.

/// Name and text of each, in the order in which `cn=schema` lists them.
pub(crate) const FILES: [(&str, &str); 9] = [
    ("system.schema", include_str!("shipped/system.schema")),
    ("core.schema", include_str!("shipped/core.schema")),
    ("cosine.schema", include_str!("shipped/cosine.schema")),
    ("inetorgperson.schema", include_str!("shipped/inetorgperson.schema")),
    ("rfc2307bis.schema", include_str!("shipped/rfc2307bis.schema")),
    ("dyngroup.schema", include_str!("shipped/dyngroup.schema")),
    ("openssh.schema", include_str!("shipped/openssh.schema")),
    ("peers.schema", include_str!("shipped/peers.schema")),
    ("monitor.schema", include_str!("shipped/monitor.schema")),
];
