//! What hostile or sloppy callers send, row by row of the table that the gateway is held against:
//! JSON texts (rows 74 to 84) and patches (rows 85 to 105), judged by the shipped policy.

use patchgate::config::{Source, load_policy, source};
use patchgate::policy::{Caller, Facts, IfMatch, NormalPath, Policy, Resolution, Verdict};

use bytes::Bytes;

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    load_policy(Source::Shipped, Path::new(source::REFERRALS_POLICY)).expect("the shipped policy")
});

/// `permit`, `needs current`, or the codes with their ops.
fn verdict(body: impl Into<Bytes>) -> String {
    let body = body.into();
    let path = NormalPath::of("/v1.0/engagements/referrals/1").expect("normal");
    let Resolution::Found(route) = POLICY.routes.resolve("PATCH", &path) else { panic!("a route") };
    match POLICY
        .judge(&Facts::read(route, Caller::default(), &IfMatch::Absent, &body), None)
        .verdict
    {
        Verdict::NeedsCurrent(_) => "needs current".into(),
        Verdict::Permit(permit) => {
            assert_eq!(permit.body(), &body, "judged bytes are sent bytes");
            "permit".into()
        }
        Verdict::Refuse(found) => {
            let told = found.iter().map(|v| match v.op {
                Some(op) => format!("{} {op}", v.code),
                None => v.code.to_string(),
            });
            told.collect::<Vec<_>>().join(", ")
        }
    }
}

/// A patch that gives `value`, as it is written, to a field that takes text.
fn valued(value: &str) -> String {
    format!(r#"[{{"op":"replace","path":"/details/notes","value":{value}}}]"#)
}

/// A patch of the one path, as it is written between the quotes.
fn at(path: &str) -> String {
    format!(r#"[{{"op":"replace","path":"{path}","value":"x"}}]"#)
}

#[track_caller]
fn refused(row: u8, body: impl Into<Bytes>, code: &str) {
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
    let found = verdict(body);
    assert!(found.split(", ").any(|one| one.starts_with(code)), "row {row}: {shown}: {found}");
}

/// Rows 74 to 76, 79 and 84: what JSONTestSuite calls `n_`.
const NOT_JSON: [&str; 82] = [
    // Commas and brackets.
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[,]",
    "[",
    "]",
    "[1",
    "[1}",
    "{",
    "}",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":1]",
    "[[]]]",
    "{}}",
    "[1 2]",
    "{\"a\":1 \"b\":2}",
    "[\"\",]",
    "[1:2]",
    // Colons and names.
    "{\"a\"}",
    "{\"a\":}",
    "{:1}",
    "{\"a\"::1}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{[]:1}",
    "{\"a\" b}",
    "{\"a\":1:2}",
    "{\"a\",1}",
    "['a']",
    "'a'",
    "a",
    "[a]",
    "\"",
    "\"a",
    "\"a\"b",
    // Comments, more than one text, what wraps a text.
    "/**/1",
    "1/**/",
    "[1]//",
    "[1/*,2*/]",
    "#\n1",
    "1 2",
    "{}[]",
    "1\n2",
    "f(1)",
    "f([1]);",
    ")]}',\n[1]",
    // Words.
    "True",
    "NULL",
    "nul",
    "tru",
    "nulll",
    "truefalse",
    "undefined",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    // Numbers.
    "+1",
    "-",
    ".5",
    "1.",
    "1.e1",
    "01",
    "-01",
    "00",
    "0x1F",
    "1e",
    "1e+",
    "1E-",
    "1eE2",
    "1_000",
    "1,0",
    "--1",
    "-+1",
    "1a",
    "\u{ff11}",
    "\u{b9}",
    "",
];

#[test]
fn what_is_not_json_is_refused_alone_and_as_a_value() {
    for text in NOT_JSON {
        refused(84, text, "body-not-json");
        // `1,0` and the like would be another member; what is no value stays none.
        refused(84, valued(text), "body-not-json");
    }
    let hidden = r#"[{"op":"replace","path":"/details/notes","value":"x"}/*,{"op":"remove","path":"/id"}*/]"#;
    refused(75, hidden, "body-not-json");
    let line = "[{\"op\":\"replace\",\"path\":\"/details/notes\",\"value\":\"x\"}//\n,{\"op\":\"remove\",\"path\":\"/id\"}]";
    refused(75, line, "body-not-json");
}

#[test]
fn strings_are_well_formed_unicode_without_raw_controls() {
    for text in [
        r#""\x41""#,
        r#""\a""#,
        r#""\'""#,
        r#""\0""#,
        r#""\u12""#,
        r#""\u12G4""#,
        r#""\U0041""#,
        r#""\""#,
        r#""\u{41}""#,
        "\"a\tb\"",
        "\"a\nb\"",
        "\"\0\"",
        "\"\u{1f}\"",
    ] {
        refused(76, valued(text), "body-not-json");
    }
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
        r#""\ud800\ud800""#,
        r#""\ud800a""#,
        r#""\ud800\n""#,
        r#""\ud83d\u0041""#,
        r#""\uDADA""#,
    ] {
        refused(77, valued(text), "body-not-json");
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc3\x28\"",
        b"\"\xc0\xaf\"",
        b"\"\xe0\x80\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xf0\x9f\x98\"",
        b"\"\x80\"",
        b"\"a\"\xff",
    ] {
        let body =
            [&br#"[{"op":"replace","path":"/details/notes","value":"#[..], bytes, b"}]"].concat();
        refused(78, body, "body-not-json");
    }
    let good = valued("\"x\"");
    for end in ["x", "]", "\0", "[]", "\u{feff}", "\u{a0}", "\u{b}"] {
        refused(78, format!("{good}{end}"), "body-not-json");
    }
    assert_eq!(verdict(valued(r#""\ud83d\ude00\u00e9\/""#)), "permit", "row 77");
}

#[test]
fn other_encodings_and_formats_are_refused() {
    let good = valued("\"x\"");
    let wide = |order: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    refused(83, wide(u16::to_le_bytes), "body-not-json");
    refused(83, wide(u16::to_be_bytes), "body-not-json");
    refused(
        83,
        good.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<u8>>(),
        "body-not-json",
    );
    refused(83, format!("\u{feff}{good}"), "body-not-json");
    // EBCDIC, CBOR, MessagePack, BSON, gzip, plist.
    for bytes in [
        &b"\xad\xc0\x7f\x96\x97"[..],
        b"\x81\xa2\x62op\x63add",
        b"\x91\x82\xa2op\xa3add",
        b"\x16\0\0\0\x02op\0",
        b"\x1f\x8b\x08\0",
        b"bplist00",
    ] {
        refused(83, bytes, "body-not-json");
    }
}

#[test]
fn numbers_that_readers_round_are_refused_and_others_pass_as_they_are_written() {
    let deal = |value: &str| {
        format!(r#"[{{"op":"replace","path":"/details/dealValue","value":{value}}}]"#)
    };
    for number in [
        "1e999",
        "-1e999",
        "1e-999",
        "3.14159265358979323846",
        "123456789012345678901",
        "600000000000000.3",
    ] {
        refused(79, deal(number), "number-imprecise");
    }
    // That these bytes are sent is asserted in `verdict`.
    for number in ["-0", "1.0", "1E2", "10000.50", "0.1", "1e2", "25000.000"] {
        assert_eq!(verdict(deal(number)), "permit", "row 80: {number}");
    }
}

#[test]
fn depth_and_size_are_bounded_in_linear_time() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [33, 129, 10_000, 400_000] {
        let began = Instant::now();
        for body in
            [deep(levels), valued(&deep(levels)), "[".repeat(levels), r#"{"a":"#.repeat(levels)]
        {
            refused(81, body, "body-too-deep");
        }
        assert!(began.elapsed() < Duration::from_secs(2), "row 81: {levels} levels");
    }
    let mega = 1 << 20;
    refused(82, valued(&format!("\"{}\"", "x".repeat(mega))), "body-too-large");
    refused(82, valued(&format!("\"{}\"", r"\u0041".repeat(mega))), "body-too-large");
    refused(82, valued(&format!("{{\"{}\":1}}", "n".repeat(mega))), "body-too-large");
    refused(82, valued(&format!("[{}1]", "1,".repeat(mega))), "body-too-large");
    refused(82, valued(&"9".repeat(mega)), "number-imprecise");
    refused(82, valued(&format!("0.{}1", "0".repeat(mega))), "number-imprecise");
    refused(82, " ".repeat(mega), "body-not-json");
    assert_eq!(
        verdict(format!("{}{}", " ".repeat(mega), valued("\"x\""))),
        "permit",
        "row 82: blanks"
    );
}

#[test]
fn only_add_and_replace_wherever_they_stand_and_however_they_are_spelt() {
    let good = r#"{"op":"replace","path":"/details/notes","value":"n"}"#;
    for op in [
        r#"{"op":"remove","path":"/details/notes"}"#,
        r#"{"op":"move","from":"/details/notes","path":"/salesStage"}"#,
        r#"{"op":"copy","from":"/details/notes","path":"/salesStage"}"#,
        r#"{"op":"test","path":"/details/notes","value":"n"}"#,
    ] {
        refused(85, format!("[{op}]"), "op-forbidden 0");
        refused(85, format!("[{good},{op}]"), "op-forbidden 1");
        let mut hundred = vec![good; 100];
        hundred[77] = op;
        refused(85, format!("[{}]", hundred.join(",")), "op-forbidden 77");
    }
    for op in [
        r#""Replace""#,
        r#""REPLACE""#,
        r#"" replace""#,
        r#""replace ""#,
        r#""replace\u0000""#,
        r#""re\u200bplace""#,
        r#""r\u0435place""#,
        r#""""#,
        "2",
        r#"["replace"]"#,
        "null",
        "true",
        "{}",
        r#""merge""#,
        r#""\ufeffadd""#,
    ] {
        refused(
            86,
            format!(r#"[{{"op":{op},"path":"/details/notes","value":"x"}}]"#),
            "op-unknown 0",
        );
    }
    // An escape is only a way to write it.
    assert_eq!(
        verdict(r#"[{"op":"\u0072eplace","path":"/details/notes","value":"x"}]"#),
        "permit",
        "row 86"
    );
}

#[test]
fn each_op_has_its_members_once_and_no_other() {
    for (op, code) in [
        (r#"{"path":"/details/notes","value":"x"}"#, "op-member-missing 0"),
        (r#"{"op":"replace","value":"x"}"#, "op-member-missing 0"),
        (r#"{"op":"replace","path":"/details/notes"}"#, "op-member-missing 0"),
        (r#"{"op":"replace","path":7,"value":"x"}"#, "pointer-malformed 0"),
        (r#"{"op":"replace","path":null,"value":"x"}"#, "pointer-malformed 0"),
        (r#"{"op":"replace","path":["/details/notes"],"value":"x"}"#, "pointer-malformed 0"),
        ("{}", "op-member-missing 0"),
    ] {
        refused(87, format!("[{op}]"), code);
    }
    for twice in [
        r#""op":"replace""#,
        r#""\u006fp":"remove""#,
        r#""path":"/id""#,
        r#""p\u0061th":"/id""#,
        r#""value":"y""#,
        r#""valu\u0065":"y""#,
    ] {
        let own = r#""op":"replace","path":"/details/notes","value":"x""#;
        refused(88, format!("[{{{own},{twice}}}]"), "body-duplicate-member 0");
        refused(88, format!("[{{{twice},{own}}}]"), "body-duplicate-member 0");
    }
    for variant in [
        r#""Op":"remove""#,
        r#""OP":"remove""#,
        r#""PATH":"/id""#,
        r#""Path":"/id""#,
        r#""Value":"y""#,
        r#""From":"/id""#,
    ] {
        let own = r#""op":"replace","path":"/details/notes","value":"x""#;
        refused(89, format!("[{{{own},{variant}}}]"), "name-case-variant 0");
        refused(89, format!("[{{{variant},{own}}}]"), "name-case-variant 0");
    }
    for name in [
        "from",
        "$type",
        "__proto__",
        "constructor",
        " op",
        "op ",
        "op\\u0000",
        "\\ufeffop",
        "\\u043ep",
        "",
        "x",
        "$ref",
    ] {
        let body =
            format!(r#"[{{"op":"replace","path":"/details/notes","value":"x","{name}":"/id"}}]"#);
        refused(90, body, "op-member-unknown 0");
    }
    for value in [
        r#"{"email":"a","email":"b"}"#,
        r#"{"email":"a","\u0065mail":"b"}"#,
        r#"[{"a":{"b":1,"b":1}}]"#,
    ] {
        refused(
            91,
            format!(r#"[{{"op":"add","path":"/team/-","value":{value}}}]"#),
            "body-duplicate-member 0",
        );
    }
}

#[test]
fn no_path_leads_around_the_list_of_paths() {
    for path in ["", "/"] {
        refused(92, at(path), "pointer-forbidden 0");
        refused(
            92,
            format!(r#"[{{"op":"add","path":"{path}","value":{{}}}}]"#),
            "pointer-forbidden 0",
        );
    }
    for (path, value) in [
        ("/details", r#"{"notes":"n","id":"x"}"#),
        ("/details", "{}"),
        ("/customerProfile", r#"{"team":[],"size":"x"}"#),
        ("/consent", "{}"),
        ("/registrations", r#"[{"id":"x"}]"#),
        ("/registrations/0", "{}"),
    ] {
        refused(
            93,
            format!(r#"[{{"op":"replace","path":"{path}","value":{value}}}]"#),
            "pointer-forbidden 0",
        );
    }
    refused(
        93,
        r#"[{"op":"replace","path":"/team","value":[{"email":"a","admin":true}]}]"#,
        "pointer-undescribed 0",
    );
    assert_eq!(
        verdict(r#"[{"op":"replace","path":"/team","value":[{"email":"a@b.example"}]}]"#),
        "permit",
        "row 93"
    );
    for path in [
        "/id",
        "/eTag",
        "/links",
        "/links/self",
        "/organizationId",
        "/createdDateTime",
        "/updatedDateTime",
        "/type",
        "/direction",
        "/consent/consentToShareInfo",
        "/engagementId",
        "/acceptedDateTime",
    ] {
        refused(94, at(path), "pointer-forbidden 0");
    }
    for path in [
        "details/notes",
        "#/details/notes",
        "$.details.notes",
        "details.notes",
        ".",
        "~1details~1notes",
        "%2Fdetails",
    ] {
        refused(95, at(path), "pointer-malformed 0");
    }
    for path in [
        "//details/notes",
        "/details//notes",
        "/details/notes/",
        "/Details/notes",
        "/DETAILS/NOTES",
        "/details/Notes",
        "/details/notes/x",
        "/details%2Fnotes",
        "/details~1notes",
        "/details/../id",
        "/details/./notes",
        "/details\\\\notes",
        "/details.notes",
        "/~0",
        "/~01id",
    ] {
        refused(95, at(path), "pointer-forbidden 0");
    }
    for path in ["/~", "/~2", "/details/~", "/details/notes~", "/~~1", "/details~/notes", "/~0~"] {
        refused(96, at(path), "pointer-malformed 0");
    }
}

#[test]
fn names_and_indexes_have_one_spelling() {
    for path in [" /details/notes", "\\u0000/details/notes"] {
        refused(97, at(path), "pointer-malformed 0");
    }
    for path in [
        "/details/notes ",
        "/details/ notes",
        "/details/notes\\u0000",
        "/details/no\\u200btes",
        "/details/n\\u043etes",
        "/\\u017ftatus",
        "/\\ufb01eld",
        "/details/note\\u0301s",
        "/detail\\u017f/notes",
        "/\\u212aey",
        "/details/notes\\u00a0",
        "/\\uff53tatus",
        "/details/notes\\n",
    ] {
        refused(97, at(path), "pointer-forbidden 0");
    }
    for index in [
        "00",
        "01",
        "+0",
        "-0",
        "-1",
        "0e0",
        "1e0",
        " 0",
        "0 ",
        "\\u0660",
        "\\uff10",
        "2147483648",
        "18446744073709551616",
        "0x0",
        "",
    ] {
        let body = format!(
            r#"[{{"op":"replace","path":"/registrations/{index}/contract/value","value":1}}]"#
        );
        refused(98, body, "pointer-forbidden 0");
    }
    for (op, path) in [
        ("add", "/team/-/email"),
        ("replace", "/team/-"),
        ("add", "/team/0"),
        ("replace", "/team/0/email"),
        ("add", "/team/--"),
    ] {
        refused(
            99,
            format!(r#"[{{"op":"{op}","path":"{path}","value":{{}}}}]"#),
            "pointer-forbidden 0",
        );
    }
    let began = Instant::now();
    refused(100, at(&"/a".repeat(10_000)), "pointer-malformed 0");
    refused(100, at(&format!("/{}", "~0".repeat(20_000))), "pointer-malformed 0");
    refused(100, at(&format!("/{}", "~".repeat(60_000))), "pointer-malformed 0");
    refused(100, at(&format!("/{}", "a".repeat(300 * 1024))), "body-too-large 0");
    refused(100, at(&"/a".repeat(128)), "pointer-forbidden 0");
    assert!(began.elapsed() < Duration::from_secs(2), "row 100: linear");
}

#[test]
fn the_whole_patch_counts_and_not_the_single_op() {
    assert_eq!(
        verdict(r#"[{"op":"add","path":"/details/notes","value":"x"}]"#),
        "permit",
        "row 101"
    );
    refused(101, r#"[{"op":"add","path":"/id","value":"x"}]"#, "pointer-forbidden 0");
    let twice = r#"{"op":"replace","path":"/details/notes","value":"x"}"#;
    assert_eq!(verdict(format!("[{twice},{twice}]")), "permit", "row 102");
    let set = |path: &str, value: &str| {
        format!(r#"{{"op":"replace","path":"{path}","value":"{value}"}}"#)
    };
    let won = [set("/status", "Closed"), set("/substatus", "Won")].join(",");
    // The last write counts: what comes first does not hide it.
    refused(102, format!("[{won},{}]", set("/status", "New")), "state-forbidden");
    refused(102, format!("[{won},{}]", set("/substatus", "Accepted")), "state-forbidden");
    assert_eq!(verdict(format!("[{},{won}]", set("/status", "New"))), "needs current", "row 102");
    refused(102, format!("[{won},{}]", set("/Status", "New")), "pointer-forbidden 2");
    for (body, code) in [
        ("[]", "patch-empty"),
        ("{}", "patch-not-array"),
        (r#""""#, "patch-not-array"),
        ("null", "patch-not-array"),
        ("7", "patch-not-array"),
        (r#"{"status":"Closed"}"#, "patch-not-array"),
        ("[[]]", "patch-not-array 0"),
        ("[null]", "patch-not-array 0"),
        ("", "body-not-json"),
        (r#"{"op":"replace","path":"/details/notes","value":"x"}"#, "patch-not-array"),
        (r#"[[{"op":"replace","path":"/details/notes","value":"x"}]]"#, "patch-not-array 0"),
    ] {
        refused(103, body, code);
    }
    let one = r#"{"op":"replace","path":"/details/notes","value":"x"}"#;
    assert_eq!(verdict(format!("[{}]", vec![one; 100].join(","))), "permit", "row 104");
    for ops in [101, 10_001, 300_000] {
        refused(104, format!("[{}]", vec![one; ops].join(",")), "too-many-ops");
        // What cannot be read after the bound is not looked at.
        refused(104, format!("[{},oops", vec![one; ops].join(",")), "too-many-ops");
    }
    for text in [
        r#"[{\"op\":\"remove\",\"path\":\"/id\"}]"#,
        r"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n",
        "</script><!--",
        "' OR 1=1 --",
        "${jndi:x}",
        "../../etc/passwd",
    ] {
        assert_eq!(verdict(valued(&format!("\"{text}\""))), "permit", "row 105: {text}");
    }
}
