//! `patchgate key`: makes a key for a partner, and what the gateway file keeps of it.
#![allow(clippy::print_stderr, reason = "a command line talks to whoever typed it")]

use super::print::print;
use crate::partner::KeyDigest;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use std::process::ExitCode;

/// The random bytes of a key: 256 bits, which nobody guesses.
const RANDOM: usize = 32;

/// Make a key for a partner, and its digest for the gateway file
///
/// The key is for the partner alone, and is kept nowhere. The digest is one of the partner's `api_keys`
/// in the gateway file; nobody can tell the key from it.
#[derive(clap::Args, Debug)]
pub struct Command {}

impl Command {
    /// Makes one, and prints both.
    pub fn run(self) -> ExitCode {
        let mut random = Zeroizing::new([0; RANDOM]);
        if aws_lc_rs::rand::fill(&mut *random).is_err() {
            eprintln!("patchgate: the system gives no random bytes");
            return ExitCode::FAILURE;
        }
        let key = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        let digest = KeyDigest::of(key.as_bytes());
        print(format_args!("key     {}\ndigest  {digest}\n", &*key));
        ExitCode::SUCCESS
    }
}
