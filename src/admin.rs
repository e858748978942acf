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

/// Must this administrator prove once more that they are there, before what cannot be taken back?
fn must_prove(app: &App, admin: &Admin) -> bool {
    !proof::is_fresh(app, admin.me())
}

/// Refuses what cannot be taken back to a session that was only left open.
fn prove(app: &App, admin: &Admin, form: &Form) -> Result<()> {
    if must_prove(app, admin) { proof::password(app, &admin.0.actor, form.raw(proof::FIELD)).map(drop) } else { Ok(()) }
}

/// The word of `done=` in the address, if it is one of these.
fn done(request: &HttpRequest, words: &[&str]) -> String {
    let told = Form(crate::body::query(request)).text("done");
    words.iter().find(|word| told == **word).map(|word| (*word).to_owned()).unwrap_or_default()
}
