//! Tags of the protocol operations and their parts, primitive or constructed bit included.

pub const BIND_REQUEST: u8 = 0x60;
pub const BIND_RESPONSE: u8 = 0x61;
/// `UnbindRequest ::= [APPLICATION 2] NULL`, so primitive.
pub const UNBIND_REQUEST: u8 = 0x42;
pub const SEARCH_REQUEST: u8 = 0x63;
pub const SEARCH_RESULT_ENTRY: u8 = 0x64;
pub const SEARCH_RESULT_DONE: u8 = 0x65;
pub const SEARCH_RESULT_REFERENCE: u8 = 0x73;
pub const MODIFY_REQUEST: u8 = 0x66;
pub const MODIFY_RESPONSE: u8 = 0x67;
pub const ADD_REQUEST: u8 = 0x68;
pub const ADD_RESPONSE: u8 = 0x69;
/// `DelRequest ::= [APPLICATION 10] LDAPDN`, so primitive.
pub const DELETE_REQUEST: u8 = 0x4a;
pub const DELETE_RESPONSE: u8 = 0x6b;
pub const MODIFY_DN_REQUEST: u8 = 0x6c;
pub const MODIFY_DN_RESPONSE: u8 = 0x6d;
pub const COMPARE_REQUEST: u8 = 0x6e;
pub const COMPARE_RESPONSE: u8 = 0x6f;
/// `AbandonRequest ::= [APPLICATION 16] MessageID`, so primitive.
pub const ABANDON_REQUEST: u8 = 0x50;
pub const EXTENDED_REQUEST: u8 = 0x77;
pub const EXTENDED_RESPONSE: u8 = 0x78;
pub const INTERMEDIATE_RESPONSE: u8 = 0x79;

/// `controls [0] Controls` of an `LDAPMessage`.
pub const CONTROLS: u8 = 0xa0;
/// `simple [0]` of an `AuthenticationChoice`.
pub const SIMPLE: u8 = 0x80;
/// `sasl [3]` of an `AuthenticationChoice`.
pub const SASL: u8 = 0xa3;
/// `newSuperior [0]` of a `ModifyDNRequest`.
pub const NEW_SUPERIOR: u8 = 0x80;
/// `requestName [0]` of an `ExtendedRequest`.
pub const REQUEST_NAME: u8 = 0x80;
/// `requestValue [1]` of an `ExtendedRequest`.
pub const REQUEST_VALUE: u8 = 0x81;
/// `referral [3]` of an `LDAPResult`.
pub const REFERRAL: u8 = 0xa3;
/// `serverSaslCreds [7]` of a `BindResponse`.
pub const SERVER_SASL_CREDENTIALS: u8 = 0x87;
/// `responseName [10]` of an `ExtendedResponse`.
pub const RESPONSE_NAME: u8 = 0x8a;
/// `responseValue [11]` of an `ExtendedResponse`.
pub const RESPONSE_VALUE: u8 = 0x8b;
/// `responseName [0]` of an `IntermediateResponse`.
pub const INTERMEDIATE_NAME: u8 = 0x80;
/// `responseValue [1]` of an `IntermediateResponse`.
pub const INTERMEDIATE_VALUE: u8 = 0x81;
