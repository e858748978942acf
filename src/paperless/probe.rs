//! The test of a connection: what is wrong with it, exactly, and every right that is missing.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Client, Right,
    call::{Answer, Call, Sent, VERSION_9},
    fault::{Fault, Instead, Version},
    multipart::Multipart,
};

/// The version of the interface that is spoken.
const SPOKEN: u32 = 9;
/// No document has this id.
const NO_DOCUMENT: &str = "api/documents/0/";

/// A Paperless-ngx that can be spoken with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Nothing if something before the server takes the header away and the settings may not be read.
    pub version: Option<Version>,
    /// The highest version of its interface.
    pub api: Option<u32>,
    /// The account's name there; nothing if it may not read its settings.
    pub user: Option<String>,
    /// What is needed and there.
    pub rights: Vec<Right>,
    /// What is needed and missing.
    pub missing: Vec<Right>,
}

impl Client {
    /// Asks for a list (address, server, version, token), then for the account's rights; where that is refused, tries each. Nothing is changed.
    pub fn probe(&self) -> Result<Server, Fault> {
        let list = self.get("api/documents/", &[("page_size", "1"), ("fields", "id")], Right::ViewDocument)?;
        let may_view = match list.check() {
            Err(Fault::Right(_)) => false,
            Err(Fault::Version(_)) => return Err(Fault::Version(self.version_in_any_language())),
            Err(Fault::NotFound) => return Err(Fault::NotPaperless(Instead::NoSuchPath)),
            _ => is_list(&list.json()?).then_some(true).ok_or(Fault::NotPaperless(Instead::Other))?,
        };
        if list.api.is_some_and(|api| api < SPOKEN) {
            return Err(Fault::Version(list.version));
        }
        let settings = self.get("api/ui_settings/", &[], Right::ViewSettings)?;
        let (rights, settings) = match settings.check() {
            Err(Fault::Right(_)) => (self.rights_by_trying(may_view)?, Value::Null),
            _ => rights_told(settings.json()?),
        };
        let told = settings.pointer("/settings/version").and_then(Value::as_str);
        let (rights, missing) = Right::NEEDED.iter().partition(|right| rights.contains(right));
        Ok(Server {
            version: list.version.or_else(|| told.and_then(Version::parse)),
            api: list.api,
            user: settings.pointer("/user/username").and_then(Value::as_str).map(str::to_owned),
            rights,
            missing,
        })
    }

    /// A server that does not speak version 9 tells its own version when it is asked in any.
    fn version_in_any_language(&self) -> Option<Version> {
        let url = self.address.page("api/documents/", &[("page_size", "1"), ("fields", "id")]);
        let call = Call { accept: "application/json", ..self.call(Method::GET, url, Sent::Nothing, Right::ViewDocument) };
        self.network.ask(call).ok()?.version
    }

    /// Reading is tried by reading, adding by a form without content: a right is asked for before the form is.
    fn rights_by_trying(&self, may_view: bool) -> Result<Vec<Right>, Fault> {
        let mut rights: Vec<Right> = may_view.then_some(Right::ViewDocument).into_iter().collect();
        for (right, path) in [
            (Right::ViewTask, "api/tasks/"),
            (Right::ViewTag, "api/tags/"),
            (Right::ViewCorrespondent, "api/correspondents/"),
            (Right::ViewDocumentType, "api/document_types/"),
            (Right::ViewCustomField, "api/custom_fields/"),
        ] {
            // A task of this number is none: the list of all may be long.
            let answer = self.get(path, &[("page_size", "1"), ("task_id", "none")], right)?;
            rights.extend(has(&answer, right)?);
        }
        for (right, path) in [
            (Right::AddTag, "api/tags/"),
            (Right::AddCorrespondent, "api/correspondents/"),
            (Right::AddDocumentType, "api/document_types/"),
            (Right::AddCustomField, "api/custom_fields/"),
        ] {
            rights.extend(has(&self.post(path, json!({}), right)?, right)?);
        }
        rights.extend(has(&self.patch(NO_DOCUMENT, &[], json!({}))?, Right::ChangeDocument)?);
        let upload = self.upload_without_file()?;
        rights.extend(has(&upload, Right::AddDocument)?);
        Ok(rights)
    }

    fn upload_without_file(&self) -> Result<Answer, Fault> {
        let form = Multipart::new().ok_or(Fault::NotUnderstood)?;
        let content_type = form.content_type();
        let body = form.bare();
        let url = self.address.page("api/documents/post_document/", &[]);
        let call =
            Call { method: Method::POST, url, token: Some(&self.token), accept: VERSION_9, body: Sent::Nothing, right: Right::AddDocument };
        self.network.send(call, &content_type, body.len() as u64, &mut body.as_slice())
    }
}

/// Refused for want of the right, or refused for another reason, which comes later.
fn has(answer: &Answer, right: Right) -> Result<Option<Right>, Fault> {
    match answer.check() {
        Err(Fault::Right(_)) => Ok(None),
        Ok(()) | Err(Fault::Field(_) | Fault::NotUnderstood | Fault::NotFound) => Ok(Some(right)),
        Err(fault) => Err(fault),
    }
}

fn rights_told(settings: Value) -> (Vec<Right>, Value) {
    let told = settings.get("permissions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let rights = Right::NEEDED.into_iter().filter(|right| told.iter().any(|told| told == right.name())).collect();
    (rights, settings)
}

fn is_list(answer: &Value) -> bool {
    answer.get("count").is_some_and(Value::is_number) && answer.get("results").is_some_and(Value::is_array)
}
