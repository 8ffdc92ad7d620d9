//! The pages that a person sees: plain HTML, no script, no style, nothing from elsewhere.

use crate::authorize::Authorization;

/// The login page. `request` is what its form sends back; `alert` is what went wrong before.
pub(crate) fn login(
    authorization: &Authorization,
    request: &str,
    anybody: bool,
    alert: Option<&str>,
) -> String {
    let alert = alert.map_or_else(String::new, |text| {
        format!("<p role=\"alert\"><strong>{}</strong></p>\n", escape(text))
    });
    let anybody = if anybody {
        "<p>It takes every user name together with the one test password.</p>\n"
    } else {
        ""
    };
    let title = if alert.is_empty() {
        "Sign in"
    } else {
        "Error: sign in"
    };
    page(
        title,
        &format!(
            "<p>This is a <strong>test issuer</strong>. It protects nothing.</p>\n{anybody}{alert}\
             <form method=\"post\" action=\"/login\">\n\
             <input type=\"hidden\" name=\"request\" value=\"{}\">\n\
             <p><label for=\"username\">User name</label><br>\n\
             <input id=\"username\" name=\"username\" value=\"{}\" autocomplete=\"username\" \
             autocapitalize=\"none\" spellcheck=\"false\" required></p>\n\
             <p><label for=\"password\">Password</label><br>\n\
             <input id=\"password\" name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" required></p>\n\
             <p><button>Sign in</button></p>\n</form>\n",
            escape(request),
            escape(&authorization.login_hint),
        ),
    )
}

/// A page that says why nothing goes on.
pub(crate) fn error(text: &str) -> String {
    page(
        "This cannot go on",
        &format!(
            "<p role=\"alert\">{}</p>\n<p>Begin again in the program that sent you here.</p>\n",
            escape(text)
        ),
    )
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(login_hint: &str) -> Authorization {
        Authorization {
            redirect_uri: "http://127.0.0.1:9/".to_owned(),
            state: None,
            nonce: None,
            challenge: String::new(),
            login_hint: login_hint.to_owned(),
        }
    }

    #[test]
    fn nothing_that_was_sent_becomes_markup() {
        let page = login(&asked("\"><script>'&"), "r", false, None);
        assert!(!page.contains("<script"));
        assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;&#39;&amp;\""));
    }

    #[test]
    fn every_field_has_a_label_and_a_fault_is_an_alert() {
        let page = login(&asked(""), "r", true, Some("Wrong."));
        for id in ["username", "password"] {
            assert!(page.contains(&format!("<label for=\"{id}\">")));
            assert!(page.contains(&format!("id=\"{id}\"")));
        }
        assert!(page.contains("role=\"alert\""));
        assert!(page.contains("test issuer"));
        assert!(page.contains("every user name"));
        assert!(!login(&asked(""), "r", false, None).contains("every user name"));
    }
}
