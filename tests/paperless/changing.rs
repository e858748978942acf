//! Names and changes, beside those of others.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use kinchart::paperless::{Change, Fault, Field, Label, Right};
use serde_json::json;

use super::{
    pdf,
    server::{Paperless, Trouble, Version},
    stored,
};

#[test]
fn names_are_looked_up_letter_by_letter_and_made_once() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let small = paperless.tag_of("admin", "kinchart");
        let tag = client.ensure_tag("Kinchart").unwrap();
        assert_ne!(tag, small, "capitals count");
        assert_eq!(client.ensure_tag(" Kinchart "), Ok(tag));
        let (from, kind) = (client.ensure_correspondent("City Lab").unwrap(), client.ensure_document_type("Letter").unwrap());
        assert_eq!((client.ensure_correspondent("City Lab"), client.ensure_document_type("Letter")), (Ok(from), Ok(kind)));
        let made = [
            paperless.names("tags")[1].clone(),
            paperless.names("correspondents")[0].clone(),
            paperless.names("document_types")[0].clone(),
        ];
        assert!(made.iter().all(|(_, _, matching)| *matching == 0), "nothing is matched on its own: {made:?}");
        assert_eq!(
            client.label_names(Label::Tag, &[tag, small, 999]),
            Ok(BTreeMap::from([(tag, "Kinchart".to_owned()), (small, "kinchart".to_owned())]))
        );
    }
}

#[test]
fn a_name_of_somebody_else_is_not_seen_and_made_again() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let theirs = paperless.tag_of("admin", "Kinchart");
        let rights: Vec<&str> = Right::NEEDED.iter().map(|right| right.name()).collect();
        let mine = paperless.client_of(paperless.user("integration", &rights));
        let own = mine.ensure_tag("Kinchart").unwrap();
        assert_ne!(own, theirs);
        assert_eq!(mine.ensure_tag("Kinchart"), Ok(own));
    }
}

#[test]
fn a_name_that_needs_a_right_says_which() {
    let paperless = Paperless::start(Version::V3);
    let looks = paperless.client_of(paperless.user("looks", &["view_tag", "view_correspondent"]));
    assert_eq!(looks.ensure_tag("x"), Err(Fault::Right(Right::AddTag)));
    assert_eq!(looks.ensure_correspondent("x"), Err(Fault::Right(Right::AddCorrespondent)));
    assert_eq!(looks.ensure_document_type("x"), Err(Fault::Right(Right::ViewDocumentType)));
    assert_eq!(looks.ensure_custom_field("x"), Err(Fault::Right(Right::ViewCustomField)));
    assert_eq!(paperless.client().ensure_tag(" "), Err(Fault::Field(Field::Name)));
}

#[test]
fn names_made_at_the_same_time_are_one() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let ids: Vec<i64> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| paperless.client().ensure_tag("Kinchart").unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let fields: Vec<i64> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| paperless.client().ensure_custom_field("Kinchart").unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(fields.iter().all(|id| *id == fields[0]), "{fields:?}");
        assert_eq!(paperless.names("tags").len(), 1);
    }
}

#[test]
fn a_name_that_was_made_although_the_server_failed_is_found() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        paperless.fault(Trouble::FailsButSaves);
        let (tag, field) = (client.ensure_tag("Kinchart").unwrap(), client.ensure_custom_field("Kinchart").unwrap());
        paperless.fault(Trouble::QueueDown);
        assert!(client.ensure_tag("made while redis down").is_ok());
        paperless.fault(Trouble::Fails);
        assert_eq!(client.ensure_tag("Another"), Err(Fault::Server { status: 500, after: None }));
        paperless.well();
        assert_eq!((client.ensure_tag("Kinchart"), client.ensure_custom_field("Kinchart")), (Ok(tag), Ok(field)));
        assert_eq!(paperless.names("tags").len(), 2);
    }
}

#[test]
fn a_custom_field_of_another_type_is_left_alone() {
    let paperless = Paperless::start(Version::V3);
    let number = paperless.state().number();
    let field = super::state::CustomField { id: number, name: "Kinchart".to_owned(), data_type: "integer".to_owned() };
    paperless.state().custom_fields.push(field);
    assert_eq!(paperless.client().ensure_custom_field("Kinchart"), Err(Fault::FieldType));
}

#[test]
fn tags_and_fields_of_others_stay() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        let (theirs, ours) = (paperless.tag_of("admin", "theirs"), client.ensure_tag("ours").unwrap());
        let (other, link) = (client.ensure_custom_field("other").unwrap(), client.ensure_custom_field("Kinchart").unwrap());
        paperless.change(id.0, |document| {
            document.tags = vec![theirs];
            document.custom_fields = vec![(other, json!(["any", 1.50]))];
        });
        let document = client.add_tags(id, &[ours]).unwrap();
        assert_eq!(document.tags, [theirs, ours]);
        client.set_link(id, link, "https://records.example.org/r/1").unwrap();
        client.set_link(id, link, "https://records.example.org/r/2").unwrap();
        let held = paperless.document(id.0);
        assert_eq!(held.tags, [theirs, ours]);
        assert_eq!(held.custom_fields, [(other, json!(["any", 1.50])), (link, json!("https://records.example.org/r/2"))]);
        client.change(id, &Change { remove_tags: &[ours], ..Change::default() }).unwrap();
        assert_eq!(paperless.document(id.0).tags, [theirs]);
    }
}

#[test]
fn only_what_differs_is_written() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        let from = client.ensure_correspondent("City Lab").unwrap();
        let change = Change {
            title: Some(&"t".repeat(200)),
            created: NaiveDate::from_ymd_opt(2024, 3, 6),
            correspondent: Some(Some(from)),
            ..Change::default()
        };
        let document = client.change(id, &change).unwrap();
        assert_eq!((document.title.chars().count(), document.correspondent), (128, Some(from)));
        assert_eq!(paperless.document(id.0).created, "2024-03-06");
        paperless.forget_seen();
        client.change(id, &change).unwrap();
        assert!(paperless.seen().iter().all(|seen| seen.method == "GET"), "nothing differs");
        client.change(id, &Change { correspondent: Some(None), ..Change::default() }).unwrap();
        assert_eq!(paperless.document(id.0).correspondent, None);
    }
}

#[test]
fn a_change_that_was_saved_although_the_server_failed_is_a_success() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        let tag = client.ensure_tag("ours").unwrap();
        paperless.fault(Trouble::FailsButSaves);
        assert_eq!(client.set_title(id, "saved").unwrap().title, "saved");
        assert_eq!(client.add_tags(id, &[tag]).unwrap().tags, [tag]);
        paperless.fault(Trouble::QueueDown);
        assert_eq!(client.set_title(id, "patched while redis down").unwrap().title, "patched while redis down");
        paperless.fault(Trouble::Fails);
        assert_eq!(client.set_title(id, "not saved"), Err(Fault::Server { status: 500, after: None }));
        assert_eq!(paperless.document(id.0).title, "patched while redis down");
    }
}

#[test]
fn a_change_that_is_refused_says_what() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        assert_eq!(client.add_tags(id, &[9999]), Err(Fault::Field(Field::Tags)));
        assert_eq!(client.set_link(id, 999, "https://x"), Err(Fault::Field(Field::CustomFields)));
        let reader = paperless.user("reader", &["view_document"]);
        paperless.change(id.0, |document| document.owner = None);
        assert_eq!(paperless.client_of(reader).set_title(id, "z"), Err(Fault::Right(Right::ChangeDocument)));
    }
}

#[test]
fn a_document_comes_back_from_the_trash_with_all_that_it_had() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "Report", &pdf("report"));
        let tag = client.ensure_tag("Kinchart").unwrap();
        client.add_tags(id, &[tag]).unwrap();
        assert_eq!(client.restore(id), Err(Fault::NotFound), "it lies in no trash");
        paperless.trash(id.0);
        assert_eq!(client.document(id), Err(Fault::InTrash));
        let rights: Vec<&str> = Right::NEEDED.iter().map(|right| right.name()).collect();
        let other = paperless.client_of(paperless.user("ann", &rights));
        assert_eq!(other.restore(id), Err(Fault::Right(Right::DeleteDocument)), "somebody else's");
        paperless.fault(Trouble::Fails);
        assert!(matches!(client.restore(id), Err(Fault::Server { status: 500, .. })));
        paperless.fault(Trouble::FailsButSaves);
        assert_eq!(client.restore(id), Ok(()), "it was done all the same");
        paperless.well();
        assert_eq!(client.document(id).unwrap().tags, [tag]);
    }
}
