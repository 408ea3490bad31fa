//! An email's HTML, made from its text: one column, styles on the elements, nothing loaded from anywhere.

/// As text or in an attribute's quotes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

const BODY: &str = "margin:0;padding:24px;background:#ffffff;color:#1a1a1a;\
    font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif";
const COLUMN: &str = "max-width:480px;margin:0 auto";
const CODE: &str = "margin:24px 0;font:700 32px/1.25 ui-monospace,Menlo,Consolas,monospace;letter-spacing:4px";
const BUTTON: &str = "display:inline-block;padding:12px 24px;border-radius:6px;background:#1a1a1a;color:#ffffff;\
    text-decoration:none;overflow-wrap:anywhere";

/// The template of the HTML for the template of a text. A paragraph that is `{code}` is shown large, one that is `{link}` as
/// a button; everywhere else a link is an ordinary one.
pub(super) fn from_text(subject: &str, text: &str, lang: &str) -> String {
    let paragraphs: String = text.trim().replace("\r\n", "\n").split("\n\n").map(paragraph).collect();
    let (title, dir) = (escape(subject.trim()), if is_rtl(lang) { "rtl" } else { "ltr" });
    format!(
        "<!doctype html>\n<html lang=\"{lang}\" dir=\"{dir}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n</head>\n\
         <body style=\"{BODY}\">\n<div role=\"article\" aria-label=\"{title}\" lang=\"{lang}\" dir=\"{dir}\" style=\"{COLUMN}\">\n\
         {paragraphs}</div>\n</body>\n</html>"
    )
}

fn paragraph(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        // Digits run from left to right in every script.
        "{code}" => format!("<p dir=\"ltr\" style=\"{CODE}\">{{code}}</p>\n"),
        "{link}" => format!("<p style=\"margin:24px 0\"><a href=\"{{link}}\" style=\"{BUTTON}\">{{link}}</a></p>\n"),
        text => {
            let lines = escape(text).replace('\n', "<br>\n");
            let linked = lines.replace("{link}", "<a href=\"{link}\" style=\"color:#0b57d0\">{link}</a>");
            format!("<p style=\"margin:16px 0\">{linked}</p>\n")
        }
    }
}

/// Whether a language is written from right to left.
fn is_rtl(lang: &str) -> bool {
    let mut tags = lang.split('-');
    let (language, script) = (tags.next().unwrap_or_default(), tags.next().filter(|tag| tag.len() == 4));
    match script {
        Some(script) => ["arab", "hebr", "thaa", "nkoo", "syrc", "adlm", "rohg"].contains(&&*script.to_lowercase()),
        None => ["ar", "he", "fa", "ur", "ps", "sd", "ug", "yi", "dv", "ckb", "arc", "nqo"].contains(&language),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_or_written_can_not_become_markup() {
        assert_eq!(escape("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
        let html = from_text("<b>", "1 < 2\n\n{code}", "en");
        assert!(html.contains("<title>&lt;b&gt;</title>") && html.contains("1 &lt; 2"), "{html}");
    }

    #[test]
    fn arabic_and_whatever_else_runs_from_the_right_says_so() {
        for (lang, dir) in [("ar", "rtl"), ("he-IL", "rtl"), ("en", "ltr"), ("pa-Arab-PK", "rtl"), ("ar-Latn", "ltr")] {
            assert!(
                from_text("s", "{code}", lang).contains(&format!("<html lang=\"{lang}\" dir=\"{dir}\">")),
                "{lang}"
            );
        }
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        let html = from_text("s", "a\nb\n\n{code}\n\n{link}\n\nor {link}", "en");
        for loader in ["src=", "url(", "<img", "<link", "<script", "@import"] {
            assert!(!html.contains(loader), "{loader}");
        }
        assert_eq!(html.matches("href=\"{link}\"").count(), 2);
        assert!(html.contains("a<br>\nb") && html.contains("<p dir=\"ltr\""), "{html}");
    }
}
