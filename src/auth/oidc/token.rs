//! The code for an ID token, and the ID token checked in full: signature, algorithm, issuer, audience, times, nonce, and the access token that
//! came beside it.

use std::sync::Arc;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, ClientSecret, IssuerUrl, JsonWebKey, Nonce,
    SignatureVerificationError as BadSignature,
    core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey, CoreJwsSigningAlgorithm as Algorithm},
};
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    fault::{Fault, Flaw},
    provider::{Known, Provider},
};

/// How far two clocks may be apart.
const SKEW: Duration = Duration::seconds(60);
/// Longer ones come from nobody; the token goes into an address at the sign-out, too.
const LONGEST_SUBJECT: usize = 255;
const LONGEST_TOKEN: usize = 32 * 1024;

/// Asymmetric all of them: the provider's own key, that nobody else has.
const ALLOWED: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];
/// With the client secret as their key: for who has one, and a provider that says it signs so.
const ALLOWED_WITH_SECRET: [(Algorithm, &str); 3] =
    [(Algorithm::HmacSha256, "HS256"), (Algorithm::HmacSha384, "HS384"), (Algorithm::HmacSha512, "HS512")];
const ALLOWED_NAMES: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// What came for a code.
pub struct Tokens {
    pub id_token: String,
    /// Read the claims with it, and let it go.
    pub access_token: String,
}

/// What is to be redeemed, and what must stand in the answer.
#[derive(Clone, Copy, Debug)]
pub struct Redeemed<'a> {
    pub code: &'a str,
    pub verifier: &'a str,
    pub nonce: &'a str,
    pub redirect_uri: &'a str,
}

/// Does it sign with something that is believed?
pub fn signs(provider: &Provider, known: &Known) -> bool {
    let told = &known.document.id_token_signing_alg_values_supported;
    let has_secret = provider.settings.client_secret.is_some();
    // Required of a provider; one that says nothing is asked anyway.
    told.is_empty() || told.iter().any(|name| ALLOWED_NAMES.contains(&name.as_str()) || (has_secret && name.starts_with("HS")))
}

/// Gives the code back for tokens. The secret travels in the header, unless the provider wants it in the form.
pub async fn exchange(provider: &Provider, known: &Known, redeemed: &Redeemed<'_>) -> Result<Tokens, Fault> {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", redeemed.code),
        ("redirect_uri", redeemed.redirect_uri),
        ("code_verifier", redeemed.verifier),
    ];
    let mut basic = None;
    match &provider.settings.client_secret {
        Some(secret) if known.document.wants_secret_in_form() => {
            form.extend([("client_id", provider.client_id.as_str()), ("client_secret", secret.0.as_str())]);
        }
        Some(secret) => basic = Some(basic_header(&provider.client_id, &secret.0)),
        None => form.push(("client_id", &provider.client_id)),
    }
    let answer = provider.wire.post(&known.document.token_endpoint, &form, basic.as_deref()).await?;
    let text = |field: &str| answer.body.get(field).and_then(Value::as_str);
    if !answer.status.is_success() {
        return Err(match text("error") {
            Some("invalid_client" | "unauthorized_client") => Fault::Client,
            Some("invalid_grant") => Fault::Code,
            None if answer.status == StatusCode::UNAUTHORIZED => Fault::Client,
            _ => Fault::Status(answer.status.as_u16()),
        });
    }
    let wanted = |field: &'static str| text(field).filter(|text| text.len() <= LONGEST_TOKEN).ok_or(Fault::NotUnderstood(field));
    Ok(Tokens { id_token: wanted("id_token")?.to_owned(), access_token: wanted("access_token")?.to_owned() })
}

/// RFC 6749, 2.3.1: each part as in a form, then together in base64.
fn basic_header(id: &str, secret: &str) -> String {
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", part(id), part(secret))))
}

/// The claims of an ID token that holds. A key that is not known makes the keys be read anew, once.
pub async fn verified(
    provider: &Provider,
    known: Arc<Known>,
    tokens: &Tokens,
    nonce: &str,
    now: NaiveDateTime,
) -> Result<(Arc<Known>, Value), Fault> {
    match verify(provider, &known, tokens, nonce, now) {
        // Signed with a key that came since, or that took another's name.
        Err(Flaw::Key | Flaw::Signature) if may_be_of_another_key(tokens) => match provider.with_other_keys(&known).await? {
            Some(newer) => match verify(provider, &newer, tokens, nonce, now) {
                Ok(claims) => Ok((newer, claims)),
                Err(flaw) => Err(Fault::Token(flaw)),
            },
            None => Err(Fault::Token(Flaw::Key)),
        },
        Ok(claims) => Ok((known, claims)),
        Err(flaw) => Err(Fault::Token(flaw)),
    }
}

/// Not for a token that is signed with the secret.
fn may_be_of_another_key(tokens: &Tokens) -> bool {
    let alg = part(&tokens.id_token, 0).and_then(|header| header.get("alg").and_then(Value::as_str).map(str::to_owned));
    alg.is_some_and(|alg| ALLOWED_NAMES.contains(&alg.as_str()))
}

fn verify(provider: &Provider, known: &Known, tokens: &Tokens, nonce: &str, now: NaiveDateTime) -> Result<Value, Flaw> {
    let token: CoreIdToken = tokens.id_token.parse().map_err(|_| Flaw::Unreadable)?;
    let verifier = verifier(provider, known, now)?;
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned())).map_err(|error| flaw(&error))?;
    check_party(claims, &provider.client_id)?;
    if let Some(told) = claims.access_token_hash() {
        check_access_token(provider, &token, &verifier, &tokens.access_token, told)?;
    }
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        return Err(Flaw::Subject);
    }
    // Its other claims as they stand in what was signed.
    let payload = part(&tokens.id_token, 1).ok_or(Flaw::Unreadable)?;
    if payload.get("nbf").is_some_and(|nbf| seconds(nbf).is_none_or(|nbf| nbf > (now + SKEW).and_utc().timestamp())) {
        return Err(Flaw::Future);
    }
    Ok(payload)
}

fn verifier<'a>(provider: &Provider, known: &Known, now: NaiveDateTime) -> Result<CoreIdTokenVerifier<'a>, Flaw> {
    let issuer = IssuerUrl::new(known.document.issuer.clone()).map_err(|_| Flaw::Issuer)?;
    let client = ClientId::new(provider.client_id.clone());
    let mut allowed = ALLOWED.to_vec();
    let verifier = match &provider.settings.client_secret {
        Some(secret) => {
            let told = &known.document.id_token_signing_alg_values_supported;
            allowed.extend(ALLOWED_WITH_SECRET.iter().filter(|(_, name)| told.iter().any(|told| told == name)).map(|(alg, _)| alg.clone()));
            CoreIdTokenVerifier::new_confidential_client(client, ClientSecret::new(secret.0.clone()), issuer, known.keys.clone())
        }
        None => CoreIdTokenVerifier::new_public_client(client, issuer, known.keys.clone()),
    };
    let now: DateTime<Utc> = now.and_utc();
    Ok(verifier
        .set_allowed_algs(allowed)
        // Others may be named beside us if the token says that it was made for us: `check_party`.
        .set_other_audience_verifier_fn(|_| true)
        .set_time_fn(move || now - SKEW)
        .set_issue_time_verifier_fn(move |issued| if issued > now + SKEW { Err(FUTURE.to_owned()) } else { Ok(()) }))
}

const FUTURE: &str = "future";

/// `azp` names us if it is there, and must be where others are named beside us (`OpenID` Connect Core, 3.1.3.7).
fn check_party(claims: &CoreIdTokenClaims, client_id: &str) -> Result<(), Flaw> {
    match claims.authorized_party() {
        Some(party) if party.as_str() == client_id => Ok(()),
        Some(_) => Err(Flaw::Audience),
        None if claims.audiences().len() > 1 => Err(Flaw::Audience),
        None => Ok(()),
    }
}

fn check_access_token(
    provider: &Provider,
    token: &CoreIdToken,
    verifier: &CoreIdTokenVerifier<'_>,
    access_token: &str,
    told: &AccessTokenHash,
) -> Result<(), Flaw> {
    let algorithm = token.signing_alg().map_err(|_| Flaw::Algorithm)?;
    let access_token = AccessToken::new(access_token.to_owned());
    let is_symmetric = ALLOWED_WITH_SECRET.iter().any(|(symmetric, _)| symmetric == algorithm);
    let made = if is_symmetric {
        let secret = provider.settings.client_secret.as_ref().map(|secret| secret.0.clone()).unwrap_or_default();
        AccessTokenHash::from_token(&access_token, algorithm, &CoreJsonWebKey::new_symmetric(secret.into_bytes()))
    } else {
        AccessTokenHash::from_token(&access_token, algorithm, token.signing_key(verifier).map_err(|_| Flaw::Key)?)
    };
    // Ed25519 does not say which sum it means, and the library makes none.
    match made {
        Ok(made) if made == *told => Ok(()),
        Err(_) if *algorithm == Algorithm::EdDsa => Ok(()),
        _ => Err(Flaw::AccessToken),
    }
}

fn flaw(error: &ClaimsVerificationError) -> Flaw {
    match error {
        ClaimsVerificationError::Expired(why) if why == FUTURE => Flaw::Future,
        ClaimsVerificationError::Expired(_) => Flaw::Expired,
        ClaimsVerificationError::InvalidAudience(_) => Flaw::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => Flaw::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => Flaw::Nonce,
        ClaimsVerificationError::InvalidSubject(_) => Flaw::Subject,
        ClaimsVerificationError::SignatureVerification(why) => match why {
            BadSignature::DisallowedAlg(_) | BadSignature::UnsupportedAlg(_) | BadSignature::NoSignature => Flaw::Algorithm,
            BadSignature::NoMatchingKey | BadSignature::AmbiguousKeyId(_) | BadSignature::InvalidKey(_) => Flaw::Key,
            _ => Flaw::Signature,
        },
        _ => Flaw::Unreadable,
    }
}

/// Header (0) or payload (1) of a token.
fn part(token: &str, place: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(place)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn seconds(value: &Value) -> Option<i64> {
    // Some write a fraction; numbers are kept as they are written.
    let text = value.as_number()?.to_string();
    text.split('.').next()?.parse().ok()
}
