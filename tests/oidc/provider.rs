//! The provider's own settings, and what is wrong with them, named.

use kinchart::{
    auth::oidc::{self, fault::Fault},
    config::{Config, Password},
};
use serde_json::json;

use super::house::House;

#[actix_web::test]
async fn what_is_wrong_with_the_provider_is_named() {
    let house = House::new().await;
    let tested = oidc::test(&house.t.app).await.unwrap();
    assert!(tested.signs_out && tested.knows_client, "{tested:?}");
    assert_eq!(tested.redirect_uri, "http://localhost:8080/login/provider/callback");
    let slashed = format!("{}/", house.provider.issuer());
    let cases = [
        (json!({"issuer": "https://id.example.org"}), Fault::OtherIssuer("https://id.example.org".into())),
        // With a slash at the end it is another issuer.
        (json!({"issuer": slashed}), Fault::OtherIssuer(slashed.clone())),
        (json!({"issuer": null}), Fault::NotUnderstood("issuer")),
        (json!({"token_endpoint": null}), Fault::NotUnderstood("token_endpoint")),
        (json!({"token_endpoint": 7}), Fault::NotUnderstood("token_endpoint")),
        (json!({"token_endpoint": "http://192.168.0.1/token"}), Fault::Unsafe("token_endpoint")),
        (json!({"userinfo_endpoint": "http://id.example.org/me"}), Fault::Unsafe("userinfo_endpoint")),
        (json!({"code_challenge_methods_supported": ["plain"]}), Fault::NoPkce),
        (json!({"id_token_signing_alg_values_supported": ["none", "ES256K"]}), Fault::NoAlgorithm),
        (json!({"scopes_supported": ["openid", "email"]}), Fault::Scope("profile".into())),
        (json!({"jwks_uri": format!("{}/nothing", house.provider.issuer())}), Fault::Status(404)),
    ];
    for (over, fault) in cases {
        house.provider.state().document = over.as_object().unwrap().clone();
        assert_eq!(oidc::test(&house.t.app).await.unwrap_err(), fault, "{over}");
    }
    house.provider.state().document.clear();
    let house = House::with(|config| config.oidc.client_secret = Some(Password("wrong".to_owned()))).await;
    assert_eq!(oidc::test(&house.t.app).await.unwrap_err(), Fault::Client);
    let none = crate::common::TestApp::new().await;
    assert_eq!(oidc::test(&none.app).await.unwrap_err(), Fault::NotSet);
    for fault in [Fault::Name, Fault::RefusedNetwork, Fault::Tls, Fault::Client, Fault::Scope("x".into())] {
        let told = fault.told(&kinchart::i18n::Locale::default());
        assert!(!told.contains("oidc.fault") && !told.contains('{'), "{told}");
    }
}

#[actix_web::test]
async fn the_machines_own_services_are_never_asked() {
    let house = House::new().await;
    house.provider.state().document.insert("jwks_uri".into(), json!("https://169.254.169.254/keys"));
    assert_eq!(oidc::test(&house.t.app).await.unwrap_err(), Fault::RefusedNetwork);
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    let problems = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (format!("KINCHART_OIDC_{name}"), (*value).to_owned()));
        Config::from_vars(pairs).map(|_| ()).map_err(|error| error.problems.join(" "))
    };
    let (issuer, client) = (("ISSUER", "https://id.example.org"), ("CLIENT_ID", "kinchart"));
    assert!(problems(&[issuer, client, ("ONLY", "true"), ("SCOPES", "email groups"), ("SIGNUP", "open")]).is_ok());
    for (pairs, says) in [
        (vec![issuer], "CLIENT_ID must be set"),
        (vec![client], "ISSUER must be set"),
        (vec![("ONLY", "true")], "needs a provider"),
        (vec![("ISSUER", "http://id.example.org"), client], "must be https"),
        (vec![issuer, client, ("SCOPES", "openid offline_access")], "without offline_access"),
        (vec![issuer, client, ("ONLY", "yes")], "must be true or false"),
        (vec![issuer, client, ("SIGNUP", "maybe")], "must be closed or open"),
    ] {
        let told = problems(&pairs).unwrap_err();
        assert!(told.contains(says), "{told}");
    }
}

#[actix_web::test]
async fn without_a_provider_there_is_no_door() {
    let t = crate::common::TestApp::new().await;
    t.admin("root");
    t.anon().get("/login").await.is(200).lacks("/login/provider");
    for path in ["/login/provider/callback?code=x&state=y", "/login/provider/out", "/login/link"] {
        t.anon().get(path).await.is(404);
    }
    t.anon().post("/login/provider", &[]).await.is(404);
    t.user("ann").get("/settings").await.is(200).lacks("/settings/providers");
}

#[actix_web::test]
async fn the_first_account_is_the_setups() {
    let provider = super::server::Provider::start(0);
    let issuer = provider.issuer();
    let t = crate::common::TestApp::with(|config| super::house::settings(config, &issuer)).await;
    assert_eq!(t.anon().post("/login/provider", &[]).await.location(), "/setup");
}

#[actix_web::test]
async fn one_address_sets_out_sixty_times() {
    let house = House::new().await;
    for _ in 0..60 {
        house.set_out().await;
    }
    house.browser("").post("/login/provider", &[]).await.is(429);
}
