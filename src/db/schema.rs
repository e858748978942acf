//! The tables every module may name. The record tables are `records::schema`, which only `records` sees.

diesel::table! {
    households (id) {
        id -> Text,
        name -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    users (id) {
        id -> Text,
        household_id -> Text,
        username -> Text,
        username_folded -> Text,
        email -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        full_name -> Text,
        role -> Text,
        auth_method -> Text,
        sso_linking_preference -> Nullable<Text>,
        last_sso_login -> Nullable<Timestamp>,
        account_linked_at -> Nullable<Timestamp>,
        disabled_at -> Nullable<Timestamp>,
        last_seen_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        email_verified_at -> Nullable<Timestamp>,
        asks_after_provider -> Bool,
        factors_reset_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    household_members (household_id, user_id) {
        household_id -> Text,
        user_id -> Text,
        role -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    user_preferences (user_id) {
        user_id -> Text,
        unit_system -> Text,
        session_timeout_minutes -> Integer,
        language -> Text,
        date_format -> Text,
        paperless_enabled -> Bool,
        paperless_url -> Nullable<Text>,
        paperless_api_token_encrypted -> Nullable<Text>,
        paperless_username_encrypted -> Nullable<Text>,
        paperless_password_encrypted -> Nullable<Text>,
        default_storage_backend -> Text,
        paperless_auto_sync -> Bool,
        paperless_sync_tags -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    list_views (user_id, patient_id, kind) {
        user_id -> Text,
        patient_id -> Text,
        kind -> Text,
        query -> Text,
    }
}

diesel::table! {
    sessions (key_hash) {
        key_hash -> Text,
        id -> Text,
        user_id -> Nullable<Text>,
        state -> Text,
        remember -> Bool,
        address -> Nullable<Text>,
        agent -> Nullable<Text>,
        created_at -> Timestamp,
        last_seen_at -> Timestamp,
        expires_at -> Timestamp,
        way -> Text,
        proved_at -> Nullable<Timestamp>,
        identity_id -> Nullable<Text>,
        id_token -> Nullable<Text>,
    }
}

diesel::table! {
    totp_factors (user_id) {
        user_id -> Text,
        sealed_secret -> Text,
        confirmed_at -> Nullable<Timestamp>,
        last_step -> Nullable<BigInt>,
        last_used_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        credential_id -> Text,
        credential -> Text,
        last_used_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    user_identities (id) {
        id -> Text,
        user_id -> Text,
        issuer -> Text,
        subject -> Text,
        label -> Text,
        created_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    recovery_codes (code_hash) {
        code_hash -> Text,
        user_id -> Text,
        used_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    sign_in_steps (key_hash) {
        key_hash -> Text,
        user_id -> Nullable<Text>,
        sealed -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    passkey_challenges (id) {
        id -> Text,
        purpose -> Text,
        user_id -> Nullable<Text>,
        state -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        token_hash -> Text,
        may_write -> Bool,
        created_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    throttles (subject) {
        subject -> Text,
        failures -> Integer,
        window_started_at -> Timestamp,
        blocked_until -> Nullable<Timestamp>,
    }
}

diesel::table! {
    installation (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    practices (id) {
        id -> Text,
        household_id -> Text,
        name -> Nullable<Text>,
        npi -> Nullable<Text>,
        phone_number -> Nullable<Text>,
        fax_number -> Nullable<Text>,
        website -> Nullable<Text>,
        address -> Nullable<Text>,
        notes -> Nullable<Text>,
        source -> Nullable<Text>,
        source_key -> Nullable<Text>,
        is_published -> Bool,
        version -> Integer,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    practitioners (id) {
        id -> Text,
        household_id -> Text,
        practice_id -> Nullable<Text>,
        name -> Nullable<Text>,
        specialty -> Nullable<Text>,
        practice -> Nullable<Text>,
        npi -> Nullable<Text>,
        phone_number -> Nullable<Text>,
        email -> Nullable<Text>,
        website -> Nullable<Text>,
        rating -> Nullable<Text>,
        notes -> Nullable<Text>,
        source -> Nullable<Text>,
        source_key -> Nullable<Text>,
        is_published -> Bool,
        version -> Integer,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    pharmacies (id) {
        id -> Text,
        household_id -> Text,
        name -> Nullable<Text>,
        brand -> Nullable<Text>,
        street_address -> Nullable<Text>,
        city -> Nullable<Text>,
        state -> Nullable<Text>,
        zip_code -> Nullable<Text>,
        country -> Nullable<Text>,
        store_number -> Nullable<Text>,
        phone_number -> Nullable<Text>,
        fax_number -> Nullable<Text>,
        email -> Nullable<Text>,
        website -> Nullable<Text>,
        hours -> Nullable<Text>,
        drive_through -> Nullable<Bool>,
        twenty_four_hour -> Nullable<Bool>,
        specialty_services -> Nullable<Text>,
        source -> Nullable<Text>,
        source_key -> Nullable<Text>,
        is_published -> Bool,
        version -> Integer,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    patients (id) {
        id -> Text,
        household_id -> Text,
        owner_user_id -> Text,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        birth_date -> Nullable<Text>,
        gender -> Nullable<Text>,
        blood_type -> Nullable<Text>,
        address -> Nullable<Text>,
        phone_number -> Nullable<Text>,
        email -> Nullable<Text>,
        language -> Nullable<Text>,
        record_number -> Nullable<Text>,
        physician_id -> Nullable<Text>,
        relationship -> Nullable<Text>,
        is_self_record -> Nullable<Bool>,
        privacy_level -> Nullable<Text>,
        is_externally_accessible -> Nullable<Bool>,
        status -> Nullable<Text>,
        deceased_on -> Nullable<Text>,
        notes -> Nullable<Text>,
        source -> Text,
        source_key -> Nullable<Text>,
        version -> Integer,
        created_by -> Nullable<Text>,
        created_at -> Timestamp,
        updated_by -> Nullable<Text>,
        updated_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
        photo -> Nullable<Text>,
        photo_small -> Nullable<Text>,
    }
}

diesel::table! {
    patient_owners (patient_id, user_id) {
        patient_id -> Text,
        user_id -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    patient_shares (id) {
        id -> Text,
        patient_id -> Text,
        shared_by_user_id -> Text,
        shared_with_user_id -> Text,
        permission_level -> Text,
        kinds -> Nullable<Text>,
        tags -> Nullable<Text>,
        without -> Nullable<Text>,
        is_active -> Bool,
        starts_at -> Nullable<Timestamp>,
        expires_at -> Nullable<Timestamp>,
        note -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        invitation_id -> Nullable<Text>,
        warned_at -> Nullable<Timestamp>,
        ended_told_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    invitations (id) {
        id -> Text,
        sent_by_user_id -> Text,
        sent_to_user_id -> Nullable<Text>,
        sent_to -> Text,
        household_id -> Nullable<Text>,
        invitation_type -> Text,
        status -> Text,
        title -> Text,
        message -> Nullable<Text>,
        context_data -> Text,
        generation -> Integer,
        expires_at -> Timestamp,
        responded_at -> Nullable<Timestamp>,
        response_note -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    invitation_patients (invitation_id, patient_id) {
        invitation_id -> Text,
        patient_id -> Text,
    }
}

diesel::table! {
    family_history_shares (id) {
        id -> Text,
        invitation_id -> Nullable<Text>,
        patient_id -> Text,
        family_member_id -> Text,
        shared_by_user_id -> Text,
        shared_with_user_id -> Text,
        permission_level -> Text,
        is_active -> Bool,
        expires_at -> Nullable<Timestamp>,
        sharing_note -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    professional_links (id) {
        id -> Text,
        patient_id -> Text,
        created_by -> Text,
        title -> Text,
        kinds -> Nullable<Text>,
        tags -> Nullable<Text>,
        without -> Nullable<Text>,
        passcode_hash -> Nullable<Text>,
        wrong_tries -> Integer,
        most_wrong_tries -> Integer,
        openings -> Integer,
        most_openings -> Nullable<Integer>,
        expires_at -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        documents -> Bool,
    }
}

diesel::table! {
    link_openings (id) {
        id -> Text,
        link_id -> Text,
        at -> Timestamp,
        outcome -> Text,
        address -> Nullable<Text>,
        agent -> Nullable<Text>,
        visit_hash -> Nullable<Text>,
        visit_until -> Nullable<Timestamp>,
    }
}

diesel::table! {
    none_known (patient_id, kind) {
        patient_id -> Text,
        kind -> Text,
        noted_by -> Nullable<Text>,
        noted_at -> Timestamp,
    }
}

diesel::table! {
    patient_versions (patient_id, version) {
        patient_id -> Text,
        version -> Integer,
        action -> Text,
        actor -> Text,
        actor_name -> Text,
        source -> Text,
        at -> Timestamp,
        snapshot -> Text,
    }
}

diesel::table! {
    tags (id) {
        id -> Text,
        household_id -> Text,
        name -> Text,
        name_folded -> Text,
        color -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    imports (id) {
        id -> Text,
        user_id -> Text,
        patient_id -> Nullable<Text>,
        file_name -> Text,
        sha256 -> Text,
        state -> Text,
        done -> Integer,
        total -> Integer,
        report -> Nullable<Text>,
        content -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    patient_identifiers (patient_id, identifier) {
        patient_id -> Text,
        identifier -> Text,
    }
}

diesel::table! {
    patient_originals (patient_id, source_key) {
        patient_id -> Text,
        source_key -> Text,
        resource_type -> Text,
        fingerprint -> Text,
        original -> Text,
        imported_at -> Timestamp,
    }
}

diesel::table! {
    directory_originals (household_id, list, entry_id, source_key) {
        household_id -> Text,
        list -> Text,
        entry_id -> Text,
        source_key -> Text,
        resource_type -> Text,
        fingerprint -> Text,
        original -> Text,
        imported_at -> Timestamp,
    }
}

diesel::table! {
    audit_events (id) {
        id -> Text,
        at -> Timestamp,
        actor -> Text,
        actor_name -> Text,
        action -> Text,
        patient_id -> Nullable<Text>,
        record_id -> Nullable<Text>,
        kind -> Nullable<Text>,
        version -> Nullable<Integer>,
        address -> Nullable<Text>,
        session_id -> Nullable<Text>,
        success -> Bool,
        detail -> Nullable<Text>,
        seal -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_seals (number) {
        number -> BigInt,
        events -> BigInt,
        total -> BigInt,
        first_at -> Timestamp,
        last_at -> Timestamp,
        hash -> Text,
        mac -> Text,
        sealed_at -> Timestamp,
        pruned_at -> Nullable<Timestamp>,
        pruned_mac -> Nullable<Text>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        task -> Text,
        payload -> Text,
        unique_key -> Nullable<Text>,
        repeat_seconds -> Nullable<Integer>,
        run_at -> Timestamp,
        leased_until -> Nullable<Timestamp>,
        attempts -> Integer,
        last_error -> Nullable<Text>,
        created_at -> Timestamp,
        lane -> Text,
    }
}

diesel::table! {
    blobs (name) {
        name -> Text,
        storage_backend -> Text,
        state -> Text,
        key_id -> Text,
        wrapped_key -> Text,
        size -> Nullable<BigInt>,
        sha256 -> Nullable<Text>,
        md5 -> Nullable<Text>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    encryption_keys (id) {
        id -> Text,
        purpose -> Text,
        algorithm -> Text,
        since -> Timestamp,
        retired_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    files (id) {
        id -> Text,
        patient_id -> Nullable<Text>,
        record_id -> Nullable<Text>,
        practitioner_id -> Nullable<Text>,
        household_id -> Nullable<Text>,
        blob -> Text,
        file_name -> Text,
        file_type -> Text,
        file_size -> BigInt,
        sha256 -> Text,
        md5 -> Text,
        description -> Nullable<Text>,
        category -> Nullable<Text>,
        document_date -> Nullable<Text>,
        uploaded_by -> Nullable<Text>,
        uploaded_at -> Timestamp,
        updated_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
        version -> Integer,
        folded -> Text,
        charset -> Nullable<Text>,
    }
}

diesel::table! {
    inbox_filings (file_id) {
        file_id -> Text,
        household_id -> Text,
        filed_by -> Nullable<Text>,
        filed_at -> Timestamp,
    }
}

diesel::table! {
    inbox_arrivals (household_id, name) {
        household_id -> Text,
        name -> Text,
        size -> BigInt,
        modified -> BigInt,
        seen_at -> Timestamp,
        sha256 -> Nullable<Text>,
    }
}

diesel::table! {
    file_readings (file_id) {
        file_id -> Text,
        pictures -> Text,
        words -> Text,
        pages -> Integer,
        word_count -> Integer,
        is_cut -> Bool,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    file_previews (file_id, page) {
        file_id -> Text,
        page -> Integer,
        blob -> Text,
        width -> Integer,
        height -> Integer,
        size -> BigInt,
    }
}

diesel::table! {
    file_texts (file_id, page) {
        file_id -> Text,
        page -> Integer,
        source -> Text,
        content -> Text,
    }
}

diesel::table! {
    paperless_connections (user_id) {
        user_id -> Text,
        address -> Text,
        sealed_token -> Text,
        default_store -> Text,
        keep_local -> Bool,
        sync_tags -> Bool,
        account -> Nullable<Text>,
        server_version -> Nullable<Text>,
        fault -> Nullable<Text>,
        fault_at -> Nullable<Timestamp>,
        pauses -> Integer,
        paused_until -> Nullable<Timestamp>,
        looked_at -> Nullable<Timestamp>,
        leaving -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    paperless_copies (file_id) {
        file_id -> Text,
        user_id -> Text,
        state -> Text,
        step -> Text,
        reason -> Nullable<Text>,
        document_id -> Nullable<BigInt>,
        task_id -> Nullable<Text>,
        uncertain_since -> Nullable<Timestamp>,
        sends -> Integer,
        sent_at -> Nullable<Timestamp>,
        proved_at -> Nullable<Timestamp>,
        keep_local -> Bool,
        told -> Nullable<Text>,
        seen_title -> Nullable<Text>,
        seen_tags -> Nullable<Text>,
        attempts -> Integer,
        next_at -> Nullable<Timestamp>,
        lease -> Nullable<Text>,
        leased_until -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    account_links (id) {
        id -> Text,
        user_id -> Text,
        purpose -> Text,
        hash -> Text,
        email -> Nullable<Text>,
        made_by -> Nullable<Text>,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    account_notices (id) {
        id -> Text,
        user_id -> Text,
        word -> Text,
        by_name -> Nullable<Text>,
        at -> Timestamp,
        seen_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    account_removals (user_id) {
        user_id -> Text,
        by_user -> Text,
        by_name -> Text,
        plan -> Text,
        to_user -> Nullable<Text>,
        state -> Text,
        created_at -> Timestamp,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    file_previews,
    file_readings,
    file_texts,
    blobs,
    encryption_keys,
    files,
    inbox_filings,
    inbox_arrivals,
    households,
    users,
    household_members,
    user_preferences,
    list_views,
    sessions,
    totp_factors,
    passkeys,
    recovery_codes,
    passkey_challenges,
    user_identities,
    sign_in_steps,
    api_tokens,
    throttles,
    installation,
    practices,
    practitioners,
    pharmacies,
    patients,
    patient_owners,
    patient_shares,
    invitations,
    invitation_patients,
    family_history_shares,
    professional_links,
    link_openings,
    none_known,
    patient_versions,
    tags,
    imports,
    patient_originals,
    directory_originals,
    audit_events,
    audit_seals,
    jobs,
    paperless_connections,
    paperless_copies,
    account_links,
    account_notices,
    account_removals
);
