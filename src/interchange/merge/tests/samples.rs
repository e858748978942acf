//! The real bundles beside the project, where they are at hand.

use std::collections::BTreeMap;

use std::path::{Path, PathBuf};

use super::*;

fn samples() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = ["../shared/samples", "../../shared/samples"].map(|root| here.join(root));
    let folders = roots.iter().flat_map(|root| ["fhir", "ips"].map(|folder| root.join(folder)));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn every_resource_has_one_fate_and_the_second_time_nothing_changes() {
    let files: Vec<Vec<u8>> = samples().iter().map(|path| std::fs::read(path).unwrap()).collect();
    for world in worlds() {
        for file in &files {
            let told = super::super::super::read(file).unwrap();
            let first = world.import(&told);
            let refused = first.problems.iter().filter(|problem| problem.reason.is_some() && problem.detail.as_deref() != Some("name"));
            println!("{:?}", refused.collect::<Vec<_>>());
            let before: Vec<_> = first.patients.iter().map(|patient| world.versions(patient.patient.as_ref().unwrap())).collect();
            let started = std::time::Instant::now();
            let second = world.import(&told);
            println!("again in {:?}", started.elapsed());
            for (patient, before) in second.patients.iter().zip(before) {
                assert_eq!((patient.is_new, patient.offers), (false, 0));
                assert_eq!((&patient.added, &patient.updated), (&BTreeMap::default(), &BTreeMap::default()));
                assert_eq!(world.versions(patient.patient.as_ref().unwrap()), before);
            }
        }
    }
}

/// `cargo test --release -- --nocapture import_of_a_large` prints what an import costs.
#[test]
fn import_of_a_large_bundle_is_measured() {
    for path in samples().iter().filter(|path| std::fs::metadata(path).unwrap().len() > 1_000_000) {
        let file = std::fs::read(path).unwrap();
        for world in worlds() {
            let started = std::time::Instant::now();
            let told = super::super::super::read(&file).unwrap();
            let read = started.elapsed();
            let statements = world.db.statements();
            let report = world.import(&told);
            let first = (started.elapsed(), world.db.statements() - statements);
            let started = std::time::Instant::now();
            let statements = world.db.statements();
            world.import(&told);
            let second = (started.elapsed(), world.db.statements() - statements);
            println!(
                "{} bytes, {} records: read {read:?}, with first import {first:?}, again {second:?}",
                file.len(),
                report.patients[0].lines.len()
            );
        }
    }
}
