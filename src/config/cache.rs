//! The inner runner's cache, as far as a mistake there would not be noticed by anybody.
//!
//! It is gitlab-runner's own table, and travels to the machines as it is: what is said of it here is
//! never more than a doubt.

use super::keys;
use super::written::Section;

/// Notes what is doubtful about the cache of a runner's section.
pub(super) fn check(section: &Section<'_>) {
    let Some(cache) = section.foreign_table("cache") else {
        return;
    };
    // Programs that write configurations leave empty tables behind.
    let stores = ["s3", "gcs", "azure"].into_iter();
    let mut named = stores.filter_map(|store| {
        let table = cache.foreign_table(store)?;
        let bucket = table.foreign_text("BucketName");
        Some((
            store,
            bucket.or_else(|| table.foreign_text("ContainerName"))?,
        ))
    });
    let Some((store, bucket)) = named.next() else {
        return;
    };
    let kind = cache.foreign_text("Type").unwrap_or_default();
    if kind.is_empty() {
        let what = format!(
            "[runners.cache] has [runners.cache.{store}], but no `Type`: no job has a cache"
        );
        section.doubt_at("cache", what, format!("add Type = \"{store}\""));
    }
    if section.flag(&keys::CC_MULTI_TENANT) {
        let what = format!(
            "the caches of all tenants are in one bucket, {bucket:?}, and its keys are readable for \
             every job"
        );
        let remedy = "leave the cache out, or give each group a runner and a bucket of its own";
        section.doubt_at("cache", what, remedy);
    }
}
