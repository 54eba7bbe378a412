//! Packs the manuals for the program that brings them: they are a fortieth of it, and a hundredth when packed.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=man");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    for entry in fs::read_dir("man")? {
        let page = entry?.path();
        let name = page.file_name().ok_or("a page has a name")?;
        let mut packed = Path::new(&out).join(name);
        packed.as_mut_os_string().push(".gz");
        let mut encoder = GzEncoder::new(File::create(packed)?, Compression::best());
        std::io::Write::write_all(&mut encoder, &fs::read(&page)?)?;
        encoder.finish()?;
    }
    Ok(())
}
