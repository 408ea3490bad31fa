//! Texts as the options make them.

use std::time::Duration;

use proptest::prelude::*;

use super::{About, Said, Texts, sms_segments};
use crate::config::Options;
use crate::error::{ErrorKind, Result};
use crate::identifier::Identifier;
use crate::secret::Secret;

const CODE: &str = "012345";
const LINK: &str = "https://app.example/verify?a=1&token=x.y.z";
const MINUTES: u64 = 60;

fn texts(options: &str) -> Result<Texts> {
    let options = options.replacen('{', r#"{"mode":"development","#, 1).replace(",}", "}");
    Options::from_json(&options).and_then(|options| Texts::new(&options.check()?))
}

fn open(options: &str) -> Texts {
    texts(options).expect(options)
}

fn refusal(options: &str) -> String {
    let error = texts(options).map(drop).expect_err(options);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

fn phone() -> Identifier {
    Identifier::Phone("+14158675309".into())
}

fn email() -> Identifier {
    Identifier::Email("ann@example.com".into())
}

fn about<'a>(to: &'a Identifier, locale: &'a str) -> About<'a> {
    About { to, purpose: "login", locale: Some(locale), life: Duration::from_secs(10 * MINUTES) }
}

impl Texts {
    fn sms_in(&self, locale: &str) -> String {
        self.code(about(&phone(), locale), &CODE.into()).expect("texts").text.expose().to_owned()
    }

    fn email_in(&self, locale: &str) -> Said {
        self.code(about(&email(), locale), &CODE.into()).expect("texts")
    }

    fn link_in(&self, locale: &str) -> Said {
        let life = Duration::from_secs(24 * 60 * MINUTES);
        self.link(About { life, ..about(&email(), locale) }, &Secret::from(LINK)).expect("texts")
    }
}

impl Said {
    fn html(&self) -> &str {
        self.html.as_ref().expect("an email").expose()
    }
}

#[test]
fn seven_languages_come_with_us() {
    let texts = open(r#"{"appName":"Acme"}"#);
    for (locale, sms) in [
        ("en", "012345 is your Acme code. It expires in 10 minutes."),
        ("hi", "012345 आपका Acme कोड है। यह 10 मिनट तक मान्य है।"),
        ("es", "012345 es tu clave de Acme. Caduca en 10 minutos."),
        ("fr", "012345 est votre code Acme. Il expire dans 10 minutes."),
        ("de", "012345 ist Ihr Acme-Code. Er gilt 10 Minuten."),
        ("pt", "Use 012345 para continuar em Acme. Vale por 10 minutos."),
        ("ar", "012345 هو رمزك في Acme. صالح لمدة 10 دقائق."),
    ] {
        assert_eq!(texts.sms_in(locale), sms);
        assert_eq!(sms_segments(sms).count, 1, "{sms}");
        let email = texts.email_in(locale);
        assert!(email.subject.contains("Acme") && !email.subject.contains(CODE), "{}", email.subject);
        assert!(email.text.expose().contains(CODE) && email.html().contains(&format!(">{CODE}</p>")));
        assert!(email.html().contains(&format!("<html lang=\"{locale}\"")), "{}", email.html());
        let link = texts.link_in(locale);
        assert!(link.text.expose().contains(LINK) && !link.text.expose().contains(['{', '[']), "{locale}");
        assert!(link.html().contains("href=\"https://app.example/verify?a=1&amp;token=x.y.z\""), "{}", link.html());
    }
    assert!(texts.link_in("en").text.expose().contains("24 hours"));
    assert!(texts.email_in("ar").html().contains("<html lang=\"ar\" dir=\"rtl\">"));
}

#[test]
fn without_a_name_of_the_app_nothing_is_missing() {
    let texts = open("{}");
    assert_eq!(texts.sms_in("en"), "012345 is your code. It expires in 10 minutes.");
    assert_eq!(texts.sms_in("de"), "012345 ist Ihr Code. Er gilt 10 Minuten.");
    assert_eq!(texts.sms_in("pt"), "Use 012345 para continuar. Vale por 10 minutos.");
    assert_eq!(texts.email_in("fr").subject, "Votre code");
    assert_eq!(open(r#"{"appName":" "}"#).sms_in("en"), texts.sms_in("en"));
}

#[test]
fn minutes_are_counted_in_each_languages_own_way() {
    let texts = open("{}");
    for (locale, minutes, told) in [
        ("en", 1, "1 minute."),
        ("de", 1, "1 Minute."),
        ("pt", 2, "2 minutos."),
        ("ar", 1, "دقيقة واحدة."),
        ("ar", 2, "دقيقتين."),
        ("ar", 15, "15 دقيقة."),
    ] {
        let to = phone();
        let about = About { life: Duration::from_secs(minutes * MINUTES), ..about(&to, locale) };
        let said = texts.code(about, &CODE.into()).expect("texts");
        assert!(said.text.expose().ends_with(told), "{}", said.text.expose());
    }
}

#[test]
fn a_language_falls_back_to_a_wider_one_then_to_the_default_then_to_english() {
    let own = r#"{"locale":"pt-BR","messages":{"*":{"pt-BR":{"sms":"BR {code}"},"it":{"sms":"IT {code}"}}}}"#;
    let texts = open(own);
    for (asked, sms) in [
        ("pt-BR", "BR 012345"),
        ("PT_br", "BR 012345"),
        ("pt-BR-u-nu-latn", "BR 012345"),
        ("pt-PT", "Use 012345 para continuar. Vale por 10 minutos."),
        ("it-CH", "IT 012345"),
        ("sv", "BR 012345"),
        ("", "BR 012345"),
        ("../../etc/passwd", "BR 012345"),
        ("en-GB", "012345 is your code. It expires in 10 minutes."),
    ] {
        assert_eq!(texts.sms_in(asked), sms, "{asked}");
    }
    let email = texts.email_in("it");
    assert_eq!(email.subject, "Seu código", "what Italian lacks comes from the default");
    assert!(email.html().contains("lang=\"pt\""));
    assert_eq!(open("{}").sms_in("sv"), "012345 is your code. It expires in 10 minutes.");
}

#[test]
fn a_purpose_has_its_own_words() {
    let texts = open(
        r#"{"appName":"Acme","messages":{"login":{"en":{"sms":"{app}: {code}, {minutes} min"}},
            "*":{"en":{"sms":"any {code}","subject":"{code} for {app}","text":"Hello!\r\n\r\n{code}\r\nBye <3"}}}}"#,
    );
    assert_eq!(texts.sms_in("en"), "Acme: 012345, 10 min");
    let to = phone();
    let signup = About { purpose: "signup", ..about(&to, "en") };
    assert_eq!(texts.code(signup, &CODE.into()).expect("texts").text.expose(), "any 012345");
    let email = texts.email_in("en");
    assert_eq!((email.subject.as_str(), email.text.expose()), ("012345 for Acme", "Hello!\n\n012345\nBye <3"));
    assert!(email.html().contains("012345<br>\nBye &lt;3"), "the HTML says what the text says: {}", email.html());
}

#[test]
fn html_of_the_apps_own_is_sent_as_it_is_and_what_is_filled_in_is_escaped() {
    let texts = open(
        r#"{"appName":"A & <b>","messages":{"*":{"en":{"text":"{code}","html":"<style>p{color:red}</style><p>{app} {code}"}}}}"#,
    );
    assert_eq!(texts.email_in("en").html(), "<style>p{color:red}</style><p>A &amp; &lt;b&gt; 012345");
    assert!(texts.sms_in("en").contains("A & <b>"), "an SMS is no HTML");
}

#[test]
fn the_line_for_browsers_is_the_last() {
    let own = r#""messages":{"*":{"hi":{"sms":"{code}\n\n "}}}"#;
    let texts = open(&format!(r#"{{"domain":"Example.com",{own}}}"#));
    assert_eq!(texts.sms_in("en"), "012345 is your code. It expires in 10 minutes.\n@example.com #012345");
    assert_eq!(texts.sms_in("hi"), "012345\n@example.com #012345");
    assert!(!texts.email_in("en").text.expose().contains('@'));
    let framed = open(r#"{"domain":["shop.example","bank.example"]}"#);
    assert!(framed.sms_in("en").ends_with("\n@shop.example #012345 @bank.example"));
    for domain in
        [r#""https://a.example""#, r#""a.example:443""#, r#""a b""#, r#""""#, r#""1.2.3.4""#, r#"["a","b","c"]"#, "5"]
    {
        assert!(refusal(&format!(r#"{{"domain":{domain}}}"#)).contains("domain"), "{domain}");
    }
}

#[test]
fn what_a_template_can_not_be_is_told_with_its_name() {
    for (template, why) in [
        (r#"{"sms":""}"#, "sms: it is empty"),
        (r#"{"sms":" \n "}"#, "sms: it is empty"),
        (r#"{"sms":"Your code"}"#, "sms: {code} is missing"),
        (r#"{"text":"Your code"}"#, "text: {code} is missing"),
        (r#"{"text":"{code}","html":"<p>code</p>"}"#, "html: {code} is missing"),
        (r#"{"html":"<p>{code}</p>"}"#, "html needs messages.login.hi.text"),
        (r#"{"sms":"{code} {cod}"}"#, "sms: unknown placeholder {cod}"),
        (r#"{"sms":"{code} {Code}"}"#, "sms: unknown placeholder {Code}"),
        (r#"{"sms":"{code} {0}"}"#, "sms: unknown placeholder {0}"),
        (r#"{"sms":"{ code }"}"#, "sms: unknown placeholder { code }"),
        (r#"{"sms":"{{code}}"}"#, "sms: write {code}"),
        (r#"{"sms":"${code}"}"#, "sms: write {code}"),
        (r#"{"sms":"{code} {link}"}"#, "sms: unknown placeholder {link}"),
        (r#"{"link":{"text":"{code}"}}"#, "link.text: unknown placeholder {code}"),
        (r#"{"link":{"sms":"link"}}"#, "link.sms: {link} is missing"),
        (r#"{"subject":"a\r\nBcc: all@example.com"}"#, "subject: it must have no control characters"),
        (r#"{"sms":"{code}\u0000"}"#, "sms: it must have no control characters"),
        (r#"{"sms":"{code} {app}"}"#, "sms: {app} needs the option appName"),
    ] {
        let told = refusal(&format!(r#"{{"messages":{{"login":{{"hi":{template}}}}}}}"#));
        assert!(told.contains("messages.login.hi.") && told.contains(why), "{template}: {told}");
    }
    for (messages, why) in [
        (r#"{"login":{"it":{"sms":"{code} {duration}"}}}"#, "no words"),
        (r#"{"login":{"not a language":{}}}"#, "messages.login"),
        (r#"{"login":{"pt-BR":{},"pt_br":{}}}"#, "twice"),
        (r#"{"log in":{"en":{}}}"#, "purpose"),
        (r#"{"login":{"en":{"sms":5}}}"#, "invalid type"),
        (r#"{"login":{"en":{"body":"x"}}}"#, "body"),
    ] {
        let told = refusal(&format!(r#"{{"messages":{messages}}}"#));
        assert!(told.contains(why), "{messages}: {told}");
    }
    assert!(refusal(r#"{"locale":"not a language"}"#).contains("locale"));
    assert!(refusal(r#"{"appName":"Acme\n@evil.example #1"}"#).contains("appName"));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{code}".to_owned()),
        Just("{app}".to_owned()),
        Just("{minutes}".to_owned()),
        Just("{duration}".to_owned()),
        Just("{link}".to_owned()),
        "[{}$%\\[\\]<>&\"' \n\r]{0,3}",
        "[a-zA-Zé€ह🙂]{0,6}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever a template is: it is refused by name, or every message has the code.
    #[test]
    fn a_template_that_is_accepted_always_shows_the_code(
        template in pieces(),
        subject in proptest::option::of(pieces()),
        html in proptest::option::of(pieces()),
        app in "[^\\p{C}]{0,10}",
        locale in prop_oneof![Just("en"), Just("ar-EG"), Just("it")],
    ) {
        let own = serde_json::json!({
            "mode": "development", "appName": app, "domain": "example.com",
            "messages": { "*": { locale: { "sms": template, "text": template, "subject": subject, "html": html } } },
        });
        let options = Options::from_json(&own.to_string()).expect("options");
        match options.check().and_then(|settings| Texts::new(&settings)) {
            Err(error) => prop_assert!(error.kind() == ErrorKind::Config && error.to_string().contains("messages.*"), "{}", error),
            Ok(texts) => {
                let sms = texts.sms_in(locale);
                prop_assert!(sms.ends_with("\n@example.com #012345"));
                prop_assert!(sms.trim_end_matches("\n@example.com #012345").contains(CODE));
                let email = texts.email_in(locale);
                prop_assert!(email.text.expose().contains(CODE) && email.html().contains(CODE));
                prop_assert!(!email.subject.contains(char::is_control));
            }
        }
    }

    /// No locale that a request may bring stops a message.
    #[test]
    fn any_locale_may_be_asked_for(locale in any::<String>()) {
        let sms = open("{}").sms_in(&locale);
        prop_assert!(sms.contains(CODE), "{}", sms);
    }
}
