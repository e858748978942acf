//! What a browser keeps of a session.

use crate::common::TestApp;

async fn cookie(remember: bool) -> String {
    let t = TestApp::new().await;
    t.user("ann");
    let password = crate::common::password_of("ann");
    let mut form = vec![("username", "ann"), ("password", password.as_str())];
    form.extend(remember.then_some(("remember", "1")));
    t.anon().post("/login", &form).await.is(303).header("set-cookie").unwrap()
}

#[actix_web::test]
async fn a_session_ends_with_the_browser_unless_the_device_is_remembered() {
    let plain = cookie(false).await;
    assert!(!plain.contains("Max-Age") && !plain.contains("Expires"), "{plain}");
    assert!(plain.contains("HttpOnly") && plain.contains("SameSite=Lax"));
    let lasting = cookie(true).await;
    assert!(lasting.contains("; Max-Age=2592000") && lasting.contains("HttpOnly"), "{lasting}");
}
