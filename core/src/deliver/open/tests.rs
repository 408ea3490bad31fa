//! What is opened, and what is refused.

use super::*;
use crate::testkit::Recorder;

fn opened(senders: &str, mode: Mode, own: usize, vars: &[(&str, &str)]) -> Result<String> {
    let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = SenderSettings {
        mode,
        deadline: Duration::from_secs(1),
        breaker: None,
        clock: Arc::new(crate::time::SystemClock),
        var: &var,
    };
    let own = (0..own).map(|_| Box::new(Recorder::default()) as Box<dyn Sender>).collect();
    open(&serde_json::from_str(senders).expect("a sender"), own, &settings).map(|sender| format!("{sender:?}"))
}

#[test]
fn what_is_named_is_opened_in_its_order() {
    for (senders, own, is) in [
        ("null", 0, "Console"),
        ("\"none:\"", 0, "List([Nowhere])"),
        ("\"none\"", 0, "List([Nowhere])"),
        ("null", 1, "List([Recorder("),
        ("\"none:\"", 1, "List([Recorder("),
        (r#"["none:","callback:0"]"#, 1, "List([Nowhere, Recorder"),
        (r#"["twilio://AC1:t@?from=+15551234567","callback:0"]"#, 1, "List([Twilio(…), Recorder"),
        ("\"sendgrid://SG.t@?from=Acme%20<a@acme.example>\"", 0, "List([SendGrid(…)])"),
        ("\"msg91://t@?template=T1&api=otp\"", 0, "List([Msg91(…)])"),
        ("\"smtp://u:p@mail.acme.example?from=a@acme.example\"", 0, "List([Smtp(…)])"),
        ("\"smtp://u:p@[::1]:25?from=a@acme.example&tls=none\"", 0, "List([Smtp(…)])"),
        ("\"smtps://mail.acme.example:4650/?from=a@acme.example\"", 0, "List([Smtp(…)])"),
        (r#"{"url":"https://h/{to}"}"#, 0, "List([Webhook(…)])"),
        (r#""webhook+https://u:p@h/x""#, 0, "List([Webhook(…)])"),
    ] {
        let shown = opened(senders, Mode::Development, own, &[]).expect(senders);
        assert!(shown.starts_with(is), "{senders}: {shown}");
    }
}

#[test]
fn the_environment_says_what_the_url_does_not() {
    let twilio =
        [("TWILIO_ACCOUNT_SID", "AC1"), ("TWILIO_AUTH_TOKEN", "hunter2"), ("TWILIO_PHONE_NUMBER", "+15551234567")];
    let sendgrid = [("SENDGRID_API_KEY", "hunter2"), ("SENDGRID_FROM_EMAIL", "no-reply@acme.example")];
    let smtp = [("SMTP_HOST", "mail.acme.example"), ("SMTP_FROM", "no-reply@acme.example")];
    let msg91 = [("MSG91_AUTH_KEY", "hunter2"), ("MSG91_TEMPLATE_ID", "T1")];
    for (url, vars) in [
        ("\"twilio:\"", &twilio[..]),
        ("\"sendgrid:\"", &sendgrid),
        ("\"msg91:\"", &msg91),
        ("\"smtp:\"", &smtp),
        ("\"smtps:\"", &smtp),
    ] {
        opened(url, Mode::Production, 0, vars).expect("all is there");
        for missing in 0..vars.len() {
            let mut vars = vars.to_vec();
            let (name, _) = vars.remove(missing);
            let error = opened(url, Mode::Production, 0, &vars).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn what_cannot_be_opened_is_refused_and_not_repeated() {
    for (senders, own) in [
        ("\"carrier-pigeon://hunter2\"", 0),
        ("\"twilio://AC1:hunter2@\"", 0),
        ("\"twilio://AC1:hunter2@api.twilio.com?from=+1555\"", 0),
        ("\"twilio://AC1:hunter2@?from=+1555&hunter2=1\"", 0),
        ("\"twilio://AC1:hunter2@?from=+1555&base=hunter2\"", 0),
        ("\"twilio://A%2FC:hunter2@?from=+1555\"", 0),
        ("\"twilio://AC1:hunter2@?from=+1555&callback=hunter2\"", 0),
        ("\"sendgrid://hunter2@\"", 0),
        ("\"sendgrid://hunter2@?from=hunter2\"", 0),
        ("\"sendgrid://hunter2@api.sendgrid.com?from=a@acme.example\"", 0),
        ("\"sendgrid://hunter%0a2@?from=a@acme.example\"", 0),
        ("\"msg91://hunter2@\"", 0),
        ("\"msg91://hunter2@?template=T1&api=hunter2\"", 0),
        ("\"msg91://hunter2@?template=T1&api=otp&variable=hunter2\"", 0),
        ("\"msg91://hunter2@?template=T1&variable=mobiles\"", 0),
        ("\"smtp://u:hunter2@h\"", 0),
        ("\"smtp://hunter2@h?from=a@acme.example\"", 0),
        ("\"smtp://:hunter2@h?from=a@acme.example\"", 0),
        ("\"smtp://u:hunter2@h:hunter2?from=a@acme.example\"", 0),
        ("\"smtp://u:hunter2@[::1?from=a@acme.example\"", 0),
        ("\"smtp://u:hunter2@h?from=a@acme.example&tls=none\"", 0),
        ("\"smtp://u:hunter2@h?from=a@acme.example&tls=hunter2\"", 0),
        ("\"smtps://u:hunter2@h?from=a@acme.example&tls=none\"", 0),
        ("\"smtps://u:hunter2@h?from=a@acme.example&ssl_ca_certs=/nowhere/hunter2\"", 0),
        ("\"smtps://u:hunter2@h?from=a@acme.example&ssl_ca_certs=Cargo.toml\"", 0),
        ("\"smtps://u:hunter2@h%20h?from=a@acme.example\"", 0),
        ("\"callback:0\"", 0),
        (r#"["callback:0","callback:0"]"#, 1),
        (r#"["none:","console:"]"#, 0),
        (r#"{"url":"ftp://hunter2/"}"#, 0),
        (r#"{"url":"https://{to}.hunter2/"}"#, 0),
        (r#"{"url":"https://h/{hunter}"}"#, 0),
        (r#"{"url":"https://h/","serves":"pigeons"}"#, 0),
        (r#"{"url":"https://h/","body":"{to}"}"#, 0),
        (r#"{"url":"https://h/","body":"{to}","contentType":"application/hunter2"}"#, 0),
        (r#"{"url":"https://h/","method":"hunter 2"}"#, 0),
    ] {
        let error = opened(senders, Mode::Production, own, &[]).expect_err(senders);
        assert_eq!(error.code(), "CONFIG", "{senders}");
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
    for vars in [&[("SMTP_HOST", "h"), ("SMTP_PORT", "hunter2")][..], &[("SMTP_HOST", "h"), ("SMTP_USER", "hunter2")]] {
        let vars = [vars, &[("SMTP_FROM", "a@acme.example")]].concat();
        let error = opened("\"smtp:\"", Mode::Production, 0, &vars).expect_err("SMTP_…");
        assert!(error.code() == "CONFIG" && !format!("{error:?}").contains("hunter"), "{error:?}");
    }
    for bad in [r#"{"url":5}"#, "[]", "5", r#"{"hunter2":"x"}"#] {
        let error = serde_json::from_str::<SenderOption>(bad).expect_err(bad).to_string();
        assert!(error.starts_with("sender must be") && !error.contains("hunter"), "{error}");
    }
}
