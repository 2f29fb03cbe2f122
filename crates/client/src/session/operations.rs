//! Every operation but search.

use ldap::message::{
    AddRequest, Attribute, Authentication, BindRequest, CompareRequest, Control, DeleteRequest,
    ExtendedRequest, Modification, ModifyDnRequest, ModifyOperation, ModifyRequest, Request,
};
use ldap::oid;
use ldap::response::{BindResponse, Response};
use ldap::result::ResultCode;
use zeroize::Zeroizing;

use super::{Secret, Session, checked, decoded, outcome};
use crate::error::Error;

/// One change of an entry.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    pub operation: ModifyOperation,
    pub attribute: &'a str,
    pub values: Vec<&'a [u8]>,
}

impl Session {
    /// RFC 4513 §5.1.3. An empty password would be a bind as nobody that succeeds, which whoever
    /// asks for somebody's password never means.
    pub async fn bind(&self, name: &str, password: &Secret) -> Result<(), Error> {
        if password.bytes().is_empty() {
            return Err(Error::EmptyPassword);
        }
        self.bound(name, Authentication::Simple(password.bytes())).await
    }

    /// As whoever the client certificate says (RFC 4513 §5.2.3).
    pub async fn bind_external(&self) -> Result<(), Error> {
        let external = Authentication::Sasl { mechanism: "EXTERNAL", credentials: Some(b"") };
        self.bound("", external).await
    }

    /// SASL PLAIN (RFC 4616).
    pub async fn bind_plain(&self, user: &str, password: &Secret) -> Result<(), Error> {
        if password.bytes().is_empty() {
            return Err(Error::EmptyPassword);
        }
        let mut text = Zeroizing::new(Vec::with_capacity(2 + user.len() + password.bytes().len()));
        text.push(0);
        text.extend_from_slice(user.as_bytes());
        text.push(0);
        text.extend_from_slice(password.bytes());
        let plain = Authentication::Sasl { mechanism: "PLAIN", credentials: Some(&text) };
        self.bound("", plain).await
    }

    /// As nobody again.
    pub async fn bind_anonymous(&self) -> Result<(), Error> {
        self.bound("", Authentication::Simple(b"")).await
    }

    async fn bound(&self, name: &str, authentication: Authentication<'_>) -> Result<(), Error> {
        let request = Request::Bind(BindRequest { version: 3, name, authentication });
        let answer = self.ask("bind", &request, &[]).await?;
        match decoded(&answer)?.response {
            Response::Bind(BindResponse { outcome, .. }) => checked("bind", &outcome),
            _ => Err(Error::Unexpected { operation: "bind" }),
        }
    }

    async fn done(
        &self,
        operation: &'static str,
        request: &Request<'_>,
        controls: &[Control<'_>],
    ) -> Result<(), Error> {
        let answer = self.ask(operation, request, controls).await?;
        checked(operation, outcome(operation, &decoded(&answer)?.response)?)
    }

    pub async fn add(
        &self,
        dn: &str,
        attributes: &[(&str, &[&[u8]])],
        controls: &[Control<'_>],
    ) -> Result<(), Error> {
        let attributes = attributes
            .iter()
            .map(|&(description, values)| Attribute { description, values: values.to_vec() });
        let request = Request::Add(AddRequest { dn, attributes: attributes.collect() });
        self.done("add", &request, controls).await
    }

    pub async fn modify(
        &self,
        dn: &str,
        changes: &[Change<'_>],
        controls: &[Control<'_>],
    ) -> Result<(), Error> {
        let changes = changes.iter().map(|change| Modification {
            operation: change.operation,
            attribute: Attribute { description: change.attribute, values: change.values.clone() },
        });
        let request = Request::Modify(ModifyRequest { dn, changes: changes.collect() });
        self.done("modify", &request, controls).await
    }

    pub async fn delete(&self, dn: &str, controls: &[Control<'_>]) -> Result<(), Error> {
        self.done("delete", &Request::Delete(DeleteRequest { dn }), controls).await
    }

    pub async fn rename(
        &self,
        dn: &str,
        new_rdn: &str,
        new_superior: Option<&str>,
        controls: &[Control<'_>],
    ) -> Result<(), Error> {
        let request = ModifyDnRequest { dn, new_rdn, delete_old_rdn: true, new_superior };
        self.done("rename", &Request::ModifyDn(request), controls).await
    }

    /// Whether the entry has the value.
    pub async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> Result<bool, Error> {
        let request = Request::Compare(CompareRequest { dn, attribute, value });
        let answer = self.ask("compare", &request, &[]).await?;
        let message = decoded(&answer)?;
        let outcome = outcome("compare", &message.response)?;
        match outcome.code {
            ResultCode::COMPARE_TRUE => Ok(true),
            ResultCode::COMPARE_FALSE => Ok(false),
            // A server that answers success answers neither.
            ResultCode::SUCCESS => Err(Error::Unexpected { operation: "compare" }),
            _ => checked("compare", outcome).map(|()| false),
        }
    }

    /// An extended operation: what it answers with.
    pub async fn extended(
        &self,
        oid: &str,
        value: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let request = Request::Extended(ExtendedRequest { oid, value });
        let answer = self.ask("extended operation", &request, &[]).await?;
        match decoded(&answer)?.response {
            Response::Extended(extended) => {
                checked("extended operation", &extended.outcome)?;
                Ok(extended.value.map(<[u8]>::to_vec))
            }
            _ => Err(Error::Unexpected { operation: "extended operation" }),
        }
    }

    /// RFC 4532: `dn:…`, `u:…`, or nothing for nobody.
    pub async fn who_am_i(&self) -> Result<String, Error> {
        let answer = self.extended(oid::extended::WHO_AM_I, None).await?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
