//! `/admin`: accounts and the installation. Nothing here shows a record, a document or the name of a patient: what is told of them is numbers.

pub mod accounts;
pub mod codes;
pub mod connections;
pub mod directory;
pub mod figures;
pub mod health;
pub mod jobs;
pub mod one;
pub mod removal;
pub mod remove;
pub mod sessions;
pub mod sign_up;
pub mod trash;

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::{
    app::App,
    auth::{
        form::Form,
        proof,
        session::{Me, Signed},
    },
    error::{Error, Result},
    page::Ui,
};

/// An administrator's request: the handler's proof. 403 for anybody else who is signed in.
#[derive(Clone, Debug)]
pub struct Admin(pub Signed);

impl FromRequest for Admin {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = Signed::from_request(request, payload).into_inner();
        std::future::ready(signed.and_then(|signed| if signed.me.is_admin() { Ok(Self(signed)) } else { Err(Error::Forbidden) }))
    }
}

impl Admin {
    fn me(&self) -> &Me {
        &self.0.me
    }
    fn ui(&self, here: &str) -> Ui {
        Ui::new(Some(self.0.me.clone()), here)
    }
}

/// What cannot be taken back is not done by who only finds a session open: they come to `/confirm`, and from there back to it.
fn prove(app: &App, admin: &Admin) -> Result<()> {
    if proof::is_fresh(app, admin.me()) { Ok(()) } else { Err(Error::Unproved) }
}

/// The word of `done=` in the address, if it is one of these.
fn done(request: &HttpRequest, words: &[&str]) -> String {
    let told = Form(crate::body::query(request)).text("done");
    words.iter().find(|word| told == **word).map(|word| (*word).to_owned()).unwrap_or_default()
}
