//! What messages say in the languages that come with us.
//!
//! What stands in `[…]` is left out where the app has no name. The SMS of English, Spanish, French, German and Portuguese keep to
//! the characters of GSM-7: one other would halve what an SMS holds.

/// The texts of a language.
pub(super) struct Locale {
    pub(super) tag: &'static str,
    pub(super) code: Texts,
    pub(super) link: Texts,
}

pub(super) struct Texts {
    pub(super) sms: &'static str,
    pub(super) subject: &'static str,
    pub(super) text: &'static str,
}

/// English comes first: it is what everything falls back to.
pub(super) const LOCALES: [Locale; 7] = [
    Locale {
        tag: "en",
        code: Texts {
            sms: "{code} is your [{app} ]code. It expires in {duration}.",
            subject: "Your [{app} ]code",
            text: "Your [{app} ]code is:\n\n{code}\n\nIt expires in {duration}.\n\n\
                Never give it to anybody. If you did not ask for it, you can ignore this email.",
        },
        link: Texts {
            sms: "Open this link to continue[ with {app}]: {link}\nIt expires in {duration}.",
            subject: "Your [{app} ]link",
            text: "Open this link to continue[ with {app}]:\n\n{link}\n\nIt expires in {duration}.\n\n\
                If you did not ask for it, you can ignore this email.",
        },
    },
    Locale {
        tag: "hi",
        code: Texts {
            sms: "{code} आपका [{app} ]कोड है। यह {duration} तक मान्य है।",
            subject: "आपका [{app} ]कोड",
            text: "आपका [{app} ]कोड है:\n\n{code}\n\nयह {duration} तक मान्य है।\n\n\
                इसे किसी को न बताएँ। अगर आपने यह कोड नहीं माँगा है, तो इस ईमेल को अनदेखा करें।",
        },
        link: Texts {
            sms: "[{app} पर ]आगे बढ़ने के लिए यह लिंक खोलें: {link}\nयह {duration} तक मान्य है।",
            subject: "आपका [{app} ]लिंक",
            text: "[{app} पर ]आगे बढ़ने के लिए यह लिंक खोलें:\n\n{link}\n\nयह {duration} तक मान्य है।\n\n\
                अगर आपने यह लिंक नहीं माँगा है, तो इस ईमेल को अनदेखा करें।",
        },
    },
    Locale {
        tag: "es",
        code: Texts {
            sms: "{code} es tu clave[ de {app}]. Caduca en {duration}.",
            subject: "Tu código[ de {app}]",
            text: "Tu código[ de {app}] es:\n\n{code}\n\nCaduca en {duration}.\n\n\
                No se lo des a nadie. Si no lo has pedido, puedes ignorar este correo.",
        },
        link: Texts {
            sms: "Abre este enlace para continuar[ en {app}]: {link}\nCaduca en {duration}.",
            subject: "Tu enlace[ de {app}]",
            text: "Abre este enlace para continuar[ en {app}]:\n\n{link}\n\nCaduca en {duration}.\n\n\
                Si no lo has pedido, puedes ignorar este correo.",
        },
    },
    Locale {
        tag: "fr",
        code: Texts {
            sms: "{code} est votre code[ {app}]. Il expire dans {duration}.",
            subject: "Votre code[ {app}]",
            text: "Votre code[ {app}] :\n\n{code}\n\nIl expire dans {duration}.\n\n\
                Ne le communiquez à personne. Si vous ne l’avez pas demandé, ignorez cet e-mail.",
        },
        link: Texts {
            sms: "Ouvrez ce lien pour continuer[ sur {app}] : {link}\nIl expire dans {duration}.",
            subject: "Votre lien[ {app}]",
            text: "Ouvrez ce lien pour continuer[ sur {app}] :\n\n{link}\n\nIl expire dans {duration}.\n\n\
                Si vous ne l’avez pas demandé, ignorez cet e-mail.",
        },
    },
    Locale {
        tag: "de",
        code: Texts {
            sms: "{code} ist Ihr [{app}-]Code. Er gilt {duration}.",
            subject: "Ihr [{app}-]Code",
            text: "Ihr [{app}-]Code lautet:\n\n{code}\n\nEr gilt {duration}.\n\n\
                Geben Sie ihn niemandem weiter. Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese E-Mail.",
        },
        link: Texts {
            sms: "Öffnen Sie diesen Link, um[ bei {app}] fortzufahren: {link}\nEr gilt {duration}.",
            subject: "Ihr [{app}-]Link",
            text: "Öffnen Sie diesen Link, um[ bei {app}] fortzufahren:\n\n{link}\n\nEr gilt {duration}.\n\n\
                Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese E-Mail.",
        },
    },
    Locale {
        tag: "pt",
        code: Texts {
            sms: "Use {code} para continuar[ em {app}]. Vale por {duration}.",
            subject: "Seu código[ de {app}]",
            text: "Seu código[ de {app}] é:\n\n{code}\n\nVale por {duration}.\n\n\
                Não o passe a ninguém. Se você não pediu este código, ignore este e-mail.",
        },
        link: Texts {
            sms: "Abra este link para continuar[ em {app}]: {link}\nVale por {duration}.",
            subject: "Seu link[ de {app}]",
            text: "Abra este link para continuar[ em {app}]:\n\n{link}\n\nVale por {duration}.\n\n\
                Se você não pediu este link, ignore este e-mail.",
        },
    },
    Locale {
        tag: "ar",
        code: Texts {
            sms: "{code} هو رمزك[ في {app}]. صالح لمدة {duration}.",
            subject: "رمزك[ في {app}]",
            text: "رمزك[ في {app}] هو:\n\n{code}\n\nصالح لمدة {duration}.\n\n\
                لا تعطِه لأي شخص. إذا لم تطلبه فتجاهل هذه الرسالة.",
        },
        link: Texts {
            sms: "افتح هذا الرابط للمتابعة[ في {app}]: {link}\nصالح لمدة {duration}.",
            subject: "رابطك[ في {app}]",
            text: "افتح هذا الرابط للمتابعة[ في {app}]:\n\n{link}\n\nصالح لمدة {duration}.\n\n\
                إذا لم تطلبه فتجاهل هذه الرسالة.",
        },
    },
];

/// With what stands in brackets, or without it.
pub(super) fn fit(text: &str, has_app: bool) -> String {
    let (mut fitted, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('[') {
        let (optional, behind) = after.split_once(']').unwrap_or((after, ""));
        fitted.push_str(before);
        fitted.push_str(if has_app { optional } else { "" });
        rest = behind;
    }
    fitted + rest
}
