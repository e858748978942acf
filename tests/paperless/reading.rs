//! Reading documents: what they say of themselves, their bytes, where they are, and search.

use chrono::NaiveDate;
use kinchart::paperless::{Change, Checksum, Checksums, DocumentId, Fault, Hits, Instead, Unreachable};

use super::{
    pdf, png,
    server::{Paperless, Trouble, Version},
    stored,
};

#[test]
fn a_document_is_read_without_its_content() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "Lab report", &pdf("Zephyrine"));
        let document = client.document(id).unwrap();
        assert_eq!((document.id, document.title.as_str()), (id, "Lab report"));
        assert_eq!(document.created, NaiveDate::from_ymd_opt(2026, 11, 21));
        assert_eq!(document.original_file_name.as_deref(), Some("scan.pdf"));
        let before = document.modified.unwrap();
        paperless.change(id.0, |document| document.title = "Renamed there".to_owned());
        let changed = client.document(id).unwrap();
        assert_eq!(changed.title, "Renamed there");
        assert_ne!(changed.modified, Some(before));
        let seen = paperless.seen();
        let without_content = |query: &str| query.contains("fields=") && !query.contains("content");
        assert!(seen.iter().filter(|seen| seen.path.starts_with("/api/documents/1/")).all(|seen| without_content(&seen.query)), "{seen:?}");
    }
}

#[test]
fn the_checksum_is_that_of_the_version() {
    let bytes = pdf("x");
    let both = Checksums::of(&bytes);
    for (version, expected) in [(Version::V2, Checksum::Md5(both.md5.clone())), (Version::V3, Checksum::Sha256(both.sha256.clone()))] {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &bytes);
        let original = client.original(id).unwrap();
        assert!(both.agree_with(original.checksum.as_ref().unwrap()));
        assert_eq!((original.checksum, original.size), (Some(expected), Some(bytes.len() as u64)));
        assert_eq!(original.media_type.as_deref(), Some("application/pdf"));
    }
}

#[test]
fn a_file_is_found_by_its_checksum() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let bytes = pdf("sought");
        let sought = Checksums::of(&bytes);
        assert_eq!(client.find_by_checksum(&sought), Ok(vec![]));
        stored(&paperless, &client, "another", &pdf("another"));
        let id = stored(&paperless, &client, "sought", &bytes);
        assert_eq!(client.find_by_checksum(&sought), Ok(vec![id]));
        paperless.fault(Trouble::NoHeaders);
        assert_eq!(client.find_by_checksum(&sought), Ok(vec![id]), "both kinds are asked for where the version is not known");
        paperless.well();
        paperless.trash(id.0);
        assert_eq!(client.find_by_checksum(&sought), Ok(vec![]), "the trash is not looked through");
    }
}

#[test]
fn a_filter_that_is_not_known_makes_no_other_document_this_one() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        stored(&paperless, &client, "another", &pdf("another"));
        let id = stored(&paperless, &client, "sought", &pdf("sought"));
        paperless.fault(Trouble::KnowsNoChecksums);
        assert_eq!(client.find_by_checksum(&Checksums::of(&pdf("sought"))), Ok(vec![id]));
        assert_eq!(client.find_by_checksum(&Checksums::of(&pdf("neither"))), Ok(vec![]));
    }
}

#[test]
fn a_version_is_asked_for_its_own_kind_only() {
    let checksums = Checksums::of(b"x");
    for (version, asked) in [(Version::V2, vec!["sha256", "md5"]), (Version::V3, vec!["sha256"])] {
        let paperless = Paperless::start(version);
        paperless.client().find_by_checksum(&checksums).unwrap();
        let kinds: Vec<&str> =
            paperless.seen().iter().map(|seen| if seen.query.contains(&checksums.sha256) { "sha256" } else { "md5" }).collect();
        assert_eq!(kinds, asked);
    }
}

#[test]
fn after_an_upgrade_the_checksum_finds_what_the_task_has_forgotten() {
    let paperless = Paperless::start(Version::V2);
    let client = paperless.client();
    let bytes = pdf("between");
    let upload = kinchart::paperless::Upload { file_name: "a.pdf", size: bytes.len() as u64, ..Default::default() };
    let task = client.upload(&upload, &mut bytes.as_slice()).unwrap();
    paperless.finish();
    paperless.upgrade();
    assert_eq!(client.task(&task), Ok(kinchart::paperless::TaskState::Unknown));
    assert_eq!(client.find_by_checksum(&Checksums::of(&bytes)), Ok(vec![DocumentId(1)]));
    assert_eq!(client.probe().unwrap().version.unwrap().major(), Some(3));
}

#[test]
fn the_original_comes_back_not_the_archive() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        for bytes in [png("scan"), pdf("text")] {
            let id = stored(&paperless, &client, "x", &bytes);
            let mut read = Vec::new();
            let downloaded = client.download_original(id, &mut read).unwrap();
            assert_eq!((downloaded.size, &read), (bytes.len() as u64, &bytes));
            assert_eq!(downloaded.checksums, Checksums::of(&bytes));
        }
        assert!(paperless.document(1).has_archive, "there is one that would have come");
    }
}

#[test]
fn a_download_that_was_cut_or_changed_is_noticed() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let bytes = pdf(&"long ".repeat(20_000));
        let id = stored(&paperless, &client, "x", &bytes);
        paperless.fault(Trouble::CutsDownloads);
        assert_eq!(client.download_original(id, &mut Vec::new()), Err(Fault::Unreachable(Unreachable::Broken)));
        paperless.fault(Trouble::WrongBytes);
        let downloaded = client.download_original(id, &mut Vec::new()).unwrap();
        assert_ne!(downloaded.checksums, Checksums::of(&bytes));
        paperless.fault(Trouble::Page);
        let mut read = Vec::new();
        assert_eq!(client.download_original(id, &mut read), Err(Fault::NotPaperless(Instead::Page)));
        assert_eq!(read, b"", "a page is never taken for a file");
    }
}

#[test]
fn a_full_disk_here_is_told_as_such() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let paperless = Paperless::start(Version::V3);
    let client = paperless.client();
    let id = stored(&paperless, &client, "x", &pdf("x"));
    assert_eq!(client.download_original(id, &mut Full), Err(Fault::Here(std::io::ErrorKind::StorageFull)));
}

#[test]
fn thumbnails_are_pictures_of_a_size() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        let thumbnail = client.thumbnail(id, 1000).unwrap();
        assert_eq!(thumbnail.media_type, "image/webp");
        assert!(thumbnail.bytes.starts_with(b"RIFF"));
        assert_eq!(client.thumbnail(id, 10), Err(Fault::NotUnderstood), "longer than allowed");
        paperless.fault(Trouble::QueueDown);
        assert_eq!(client.thumbnail(id, 1000), Err(Fault::Server { status: 500, after: None }));
    }
}

#[test]
fn trash_and_gone_are_told_apart() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let bytes = pdf("kept");
        let (id, other) = (stored(&paperless, &client, "x", &bytes), stored(&paperless, &client, "y", &pdf("y")));
        assert_eq!(client.is_in_trash(id), Ok(false));
        paperless.trash(other.0);
        paperless.trash(id.0);
        assert_eq!(client.is_in_trash(id), Ok(true));
        assert_eq!(client.document(id), Err(Fault::InTrash));
        assert_eq!(client.original(id), Err(Fault::InTrash));
        assert_eq!(client.change(id, &Change { title: Some("z"), ..Change::default() }), Err(Fault::InTrash));
        assert!(client.download_original(id, &mut Vec::new()).is_ok(), "the server still hands it out");
        paperless.restore(id.0);
        assert_eq!(client.document(id).unwrap().title, "x");
        paperless.erase(id.0);
        for gone in
            [client.document(id).map(drop), client.download_original(id, &mut Vec::new()).map(drop), client.thumbnail(id, 99).map(drop)]
        {
            assert_eq!(gone, Err(Fault::NotFound));
        }
    }
}

#[test]
fn many_documents_are_read_at_once() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let ids: Vec<DocumentId> = (0..30).map(|n| stored(&paperless, &client, "x", &pdf(&n.to_string()))).collect();
        paperless.trash(3);
        paperless.erase(4);
        paperless.forget_seen();
        let found: Vec<i64> = client.documents(&ids[..10]).unwrap().iter().map(|document| document.id.0).collect();
        assert_eq!(found, [1, 2, 5, 6, 7, 8, 9, 10]);
        assert_eq!(paperless.seen().len(), 1);
        assert_eq!(client.documents(&ids).unwrap().len(), 28);
    }
}

fn shown(hits: &Hits) -> Vec<String> {
    let part = |part: &kinchart::paperless::Part| if part.marked { format!("[{}]", part.text) } else { part.text.clone() };
    hits.hits.iter().map(|hit| hit.highlight.iter().map(part).collect()).collect()
}

#[test]
fn search_finds_words_in_both_engines() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "Report", &pdf("potassium <script>alert(1)</script> & zephyrine 4.2"));
        stored(&paperless, &client, "Other", &pdf("nothing of it"));
        let hits = client.search("\"Zephyrine AND (", 1).unwrap();
        assert_eq!((hits.total, hits.has_more), (0, false), "and is a word of its own");
        let hits = client.search("  zephyrine* !?", 1).unwrap();
        assert_eq!((hits.total, hits.hits[0].document.id), (1, id));
        assert_eq!(shown(&hits), ["potassium <script>alert(1)</script> & [zephyrine] 4.2"], "{version:?}");
        assert_eq!(client.search("?!", 1).unwrap().total, 0);
        paperless.trash(id.0);
        assert_eq!(client.search("zephyrine", 1).unwrap().total, 0);
    }
}

#[test]
fn a_part_of_a_word_is_found_where_no_whole_word_is() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        stored(&paperless, &client, "Laboratory", &pdf("x"));
        stored(&paperless, &client, "Other", &pdf("y"));
        let hits = client.search("labor", 1).unwrap();
        assert_eq!((hits.total, hits.hits[0].document.title.as_str()), (1, "Laboratory"));
        assert_eq!(client.search("zzz", 1).unwrap().total, 0, "never the whole list");
    }
}

#[test]
fn search_goes_page_by_page() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        for n in 0..25 {
            stored(&paperless, &client, "report", &pdf(&n.to_string()));
        }
        let (first, second, third) =
            (client.search("report", 1).unwrap(), client.search("report", 2).unwrap(), client.search("report", 3).unwrap());
        assert_eq!((first.hits.len(), first.total, first.has_more), (20, 25, true));
        assert_eq!((second.hits.len(), second.has_more), (5, false));
        assert_eq!(third.hits.len(), 0);
    }
}
