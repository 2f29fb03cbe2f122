//! What a sign-in and a search came to.

use client::subcode::Subcode;
use ldap::result::ResultCode;

use super::{Finding, Layer};
use crate::doctor::facts::{Application, Facts, Refused, Search};

pub(super) fn findings(facts: &Facts, application: &Application) -> Vec<Finding> {
    let mut found = match &application.refused {
        Some(refused) => vec![sign_in(application, refused)],
        None => Vec::new(),
    };
    if let Some(search) = &application.search {
        let roots = facts.nodes.iter().filter_map(|node| node.ldap.as_ref());
        let contexts = roots.map(|root| &root.naming_contexts).find(|all| !all.is_empty());
        let contexts = contexts.map_or(&[][..], Vec::as_slice);
        found.extend(search_findings(search, contexts));
    }
    for finding in &mut found {
        finding.nodes.push(application.address);
    }
    found
}

fn sign_in(application: &Application, refused: &Refused) -> Finding {
    let who = application.signed_in_as.as_deref().unwrap_or("nobody");
    let one = |code, cause: String| Finding::new(code, Layer::SignIn, cause).seen(said(refused));
    if let Some(known) = Subcode::of(&refused.message) {
        let code = if known.code == "80090346" { "CBT" } else { "AUTH-SUBCODE" };
        return one(code, format!("{who} cannot sign in: {}", known.means)).fix(known.fix);
    }
    match refused.code.map(ResultCode) {
        Some(ResultCode::INVALID_CREDENTIALS) => {
            one("AUTH", format!("{who} cannot sign in: the name or the password is wrong"))
                .fix("see the name, as a whole DN; then the password, once: tries are counted")
        }
        Some(ResultCode::INVALID_DN_SYNTAX) => {
            one("AUTH", format!("'{who}' is no DN, and this server signs in nobody by less"))
                .fix("sign in by the whole DN, such as uid=anna,ou=people,dc=example,dc=com")
        }
        Some(ResultCode::STRONGER_AUTH_REQUIRED | ResultCode::CONFIDENTIALITY_REQUIRED) => {
            one("SIGNING-REQUIRED", "the server demands signing or TLS for this bind".to_owned())
                .seen("it was asked over TLS: where that ends before the server, it sees none")
                .fix("let TLS end at the directory itself: pass TCP through the load balancer")
                .fix("or let the directory take binds from the load balancer without TLS")
        }
        _ => one("AUTH", format!("{who} cannot sign in")).fix("see the server's log for this try"),
    }
}

fn search_findings(search: &Search, contexts: &[String]) -> Vec<Finding> {
    let one = |cause: String| Finding::new("SEARCH-SHAPE", Layer::Search, cause);
    let mut found = Vec::new();
    let (base, filter) = (&search.base, &search.filter);
    match &search.refused {
        Some(refused) if refused.code.map(ResultCode) == Some(ResultCode::NO_SUCH_OBJECT) => {
            let nearest = match refused.matched.as_str() {
                "" => "nothing above it either, or this user may not see it".to_owned(),
                matched => format!("the nearest that is there: {matched}"),
            };
            let mut missing = one(format!("the base {base} is not there")).seen(nearest);
            if !contexts.is_empty() {
                missing = missing.seen(format!("the server has: {}", contexts.join(", ")));
            }
            let fix = "correct the base; what a user may not see is not there either: let it read";
            found.push(missing.fix(fix));
        }
        Some(refused) if wants_sign_in(refused) => found.push(
            one("the server answers no search to those who have not signed in".to_owned())
                .seen(said(refused))
                .fix("let the application sign in first: --as NAME tries it here"),
        ),
        Some(refused) if refused.code.map(ResultCode) == Some(ResultCode::SIZE_LIMIT_EXCEEDED) => {
            found.push(
                one(format!("the server ends the search after {} entries", search.count))
                    .seen(said(refused))
                    .fix("search with a base or filter that finds fewer, or raise the size limit"),
            );
        }
        Some(refused) => found.push(
            one(format!("the search below {base} fails"))
                .seen(said(refused))
                .fix("search less at a time, in pages, or with a filter that an index serves"),
        ),
        None if search.count == 0 => found.push(
            one(format!("the search works and finds nothing: {filter} below {base}"))
                .fix("see what this user may read, and the filter, on one entry that should match")
                .warning(),
        ),
        None => {}
    }
    if let Some(stopped) = search.without_pages {
        let more = if search.is_more { "more than " } else { "" };
        let cause = format!("without pages it ends at {stopped} of {more}{}", search.count);
        found.push(
            one(cause)
                .seen("result 4: the server's size limit")
                .fix("let the application ask in pages (1.2.840.113556.1.4.319) of 500 or less")
                .fix("or with a base or filter that finds fewer")
                .warning(),
        );
    }
    if let Some(first) = search.references.first() {
        let cause = format!("the search also answers with references to elsewhere: {first}");
        found.push(
            Finding::new("REFERRAL", Layer::Search, cause)
                .fix("switch following referrals off in the application, or search further below")
                .warning(),
        );
    }
    found
}

/// AD's "a successful bind must be completed", under whatever result code; and the codes that
/// others have for it.
fn wants_sign_in(refused: &Refused) -> bool {
    let codes = [
        ResultCode::STRONGER_AUTH_REQUIRED,
        ResultCode::INAPPROPRIATE_AUTHENTICATION,
        ResultCode::INSUFFICIENT_ACCESS_RIGHTS,
    ];
    let is_code = refused.code.is_some_and(|code| codes.contains(&ResultCode(code)));
    is_code || refused.message.contains("000004DC")
}

fn said(refused: &Refused) -> String {
    let code = refused.code.map_or(String::new(), |code| format!("result {code}: "));
    format!("{code}{}", refused.message.trim_end_matches('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(refused: Option<Refused>, search: Option<Search>) -> Vec<&'static str> {
        let address = "192.0.2.1:636".parse().unwrap();
        let signed_in_as = Some("cn=app".to_owned());
        let application = Application { address, signed_in_as, refused, search };
        findings(&crate::doctor::rules::tests::facts(Vec::new()), &application)
            .iter()
            .map(|one| one.code)
            .collect()
    }

    fn no(code: u32, message: &str) -> Option<Refused> {
        Some(Refused { code: Some(code), message: message.to_owned(), matched: String::new() })
    }

    fn search(count: u64, refused: Option<Refused>, references: &[&str]) -> Option<Search> {
        Some(Search {
            base: "dc=x".to_owned(),
            filter: "(a=b)".to_owned(),
            count,
            is_more: false,
            without_pages: None,
            references: references.iter().map(|&one| one.to_owned()).collect(),
            refused,
            ms: 1,
        })
    }

    #[test]
    fn sign_ins_and_searches() {
        assert_eq!(tried(None, search(1, None, &[])), [""; 0]);
        let ad = "80090308: LdapErr: DSID-0, comment: error, data 775, v4563";
        assert_eq!(tried(no(49, ad), None), ["AUTH-SUBCODE"]);
        assert_eq!(tried(no(49, &ad.replace("80090308", "80090346")), None), ["CBT"]);
        assert_eq!(tried(no(49, ""), None), ["AUTH"]);
        assert_eq!(tried(no(8, ""), None), ["SIGNING-REQUIRED"]);
        assert_eq!(tried(None, search(0, None, &[])), ["SEARCH-SHAPE"]);
        assert_eq!(tried(None, search(0, no(32, ""), &[])), ["SEARCH-SHAPE"]);
        assert_eq!(tried(None, search(0, no(4, ""), &[])), ["SEARCH-SHAPE"]);
        let dc = "000004DC: LdapErr: DSID-0, comment: In order to perform this operation a \
                  successful bind must be completed on the connection., data 0, v4563";
        assert_eq!(tried(None, search(0, no(1, dc), &[])), ["SEARCH-SHAPE"]);
        let mut limited = search(9, None, &[]);
        limited.as_mut().unwrap().without_pages = Some(5);
        assert_eq!(tried(None, limited), ["SEARCH-SHAPE"]);
        assert_eq!(tried(None, search(2, None, &["ldap://y"])), ["REFERRAL"]);
    }
}
