"""Lexicon: the words by which the offline model recognises a domain, a worry, a comfort and a voter's temper."""

from __future__ import annotations

from local_host.offline.text import stem
from local_host.offline.words import word_set


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


# What an agent of this domain looks for, by a word that its instructions name.
DOMAINS: dict[str, frozenset[str]] = {
    "security": _stems(
        "security secure insecure vulnerability vulnerable injection inject sql password passwd secret "
        "token credential key auth authentication authorization permission encrypt encryption plaintext "
        "hash md5 sha eval exec pickle shell subprocess traversal xss csrf exploit attack attacker "
        "sanitize escape privilege admin root leak exposed breach malicious unauthorized intrusion login "
        "cookie tls certificate verify debug untrusted"
    ),
    "performance": _stems(
        "performance slow fast latency throughput memory cpu cache query loop nested quadratic timeout "
        "bottleneck blocking sleep connection pool scale load batch index allocate copy concat "
        "inefficient milliseconds p99 fetch"
    ),
    "style": _stems(
        "style readable readability naming name docstring comment convention format duplicate duplication "
        "magic constant complexity function global import test maintainable todo fixme cleanup consistent"
    ),
    "compliance": _stems(
        "compliance comply regulation regulatory gdpr hipaa audit retention consent policy legal law "
        "required must shall personal data record approve approval privacy contract penalty breach"
    ),
    "privacy": _stems("privacy personal data consent email address phone gdpr retention anonymize delete share third"),
    "cost": _stems("cost budget price expense spend money dollar euro saving fee invest investment revenue profit"),
    "history": _stems(
        "history began founded origin early century decade first introduced since previously invented year"
    ),
    "reliability": _stems(
        "outage incident failure failed error retry timeout crash restart availability downtime recover "
        "backup failover root cause alert degraded down rollback mitigation"
    ),
    "advantage": _stems(
        "advantage benefit improve gain better strength save faster efficient opportunity pro positive"
    ),
    "disadvantage": _stems(
        "disadvantage drawback cost risk limit limitation weakness worse problem concern difficult con negative however"
    ),
}
DOMAIN_NAMES: dict[str, str] = {
    stem(word): domain
    for domain, words in {
        "security": "security secure vulnerability attacker exploit safety hacker penetration",
        "performance": "performance speed latency efficiency scalability",
        "style": "style readability maintainability maintainable clean conventions naming",
        "compliance": "compliance legal regulatory audit auditor regulation lawyer",
        "privacy": "privacy personal",
        "cost": "cost budget finance financial",
        "history": "history historical background origins historian",
        "reliability": "reliability incident outage operations operator sre availability root",
        "advantage": "advantage advantages pros benefits benefit strengths opportunities",
        "disadvantage": "disadvantage disadvantages cons drawbacks weaknesses limitations",
    }.items()
    for word in words.split()
}

# Signs in the material that something is wrong, and that it was taken care of, in thirds of a sure sign.
CONCERNS: dict[str, int] = {
    **dict.fromkeys(
        _stems(
            "injection vulnerable vulnerability exploit exploited breach leak leaked malware hardcoded "
            "plaintext md5 eval pickle kill bomb weapon hate threat attack abuse fraud scam phishing steal "
            "stolen outage crash crashed fatal critical corrupt corruption illegal violence violent suicide "
            "racist traversal xss unauthorized"
        ),
        3,
    ),
    **dict.fromkeys(
        _stems(
            "unsafe insecure danger dangerous fail failed failure error wrong false misleading harmful toxic "
            "offensive untested unverified unsanitized unescaped unencrypted missing broken severe violation "
            "violate incident password secret exposed deny refused stupid idiot incorrect debunked myth hoax "
            "reject"
        ),
        2,
    ),
    **dict.fromkeys(
        _stems(
            "risk concern problem issue warning warn weak bug defect slow timeout unclear doubt delay "
            "complaint lost loss deprecated outdated unknown inconsistent exec shell unlikely "
            "disputed indefinitely manual contradict exception broad swallowed"
        ),
        1,
    ),
}
COMFORTS: dict[str, int] = {
    **dict.fromkeys(
        _stems(
            "parameterized parameterised sanitized validated verified encrypted tested approved safe secure "
            "compliant confirmed accurate correct true proven harmless"
        ),
        2,
    ),
    **dict.fromkeys(
        _stems(
            "pass passed success successful clean clear good stable reliable reviewed documented resolved "
            "fixed mitigated recovered improve improved helpful benefit kind thank welcome support audit "
            "protected complete consistent polite friendly excellent great recommend"
        ),
        1,
    ),
}
NEGATIONS = word_set("no not never without none neither nor cannot n't don't doesn't isn't aren't wasn't")

# Words of a perspective that make a voter quicker, or slower, to see a problem. Whole words: `strictly` is none.
STRICT = word_set(
    "strict stringent cautious conservative skeptical sceptical skeptic sceptic adversarial adversary "
    "attacker paranoid pessimistic pessimist rigorous demanding careful hostile unforgiving"
)
LENIENT = word_set(
    "lenient pragmatic pragmatist optimistic optimist generous permissive trusting tolerant liberal "
    "charitable forgiving relaxed easygoing"
)
# What a category's name stands for beyond its own word.
CONNOTATIONS: dict[str, frozenset[str]] = {
    stem(name): _stems(words)
    for name, words in {
        "billing": "invoice charge charged refund payment pay price subscription card bill",
        "technical": "error crash bug install server timeout fail log version update",
        "bug": "error crash broken fail exception wrong",
        "feature": "add wish request support would new option",
        "account": "login password email profile user sign access",
        "shipping": "delivery parcel package courier tracking arrive late",
        "spam": "offer free click winner prize buy cheap money link",
        "harassment": "stupid idiot loser ugly hate shut",
        "violence": "kill shoot attack weapon blood bomb hurt beat",
        "database": "sql query table connection replica postgres index migration",
        "network": "dns tcp packet route latency connection timeout gateway",
        "deployment": "release rollout rollback version deploy config",
        "configuration": "config setting flag variable parameter default",
        "hardware": "disk memory cpu power rack fan",
        "human": "operator manual mistake typo engineer",
    }.items()
}
# Where an option stands: -1 says all is well, +1 says it is as bad as can be.
LEVELS: dict[str, float] = {
    word: level
    for level, words in (
        (
            -0.8,
            "safe approve approved accept accepted pass passed allow allowed appropriate acceptable compliant valid "
            "correct true accurate supported ok okay good excellent ship publish keep positive clean benign secure "
            "harmless none genuine ready go merge healthy supports confirmed verified real legitimate success resolved",
        ),
        (-0.6, "info informational negligible trivial p4 p5 sev4 sev5 notice debug"),
        (-0.25, "low minor p3 sev3 mild"),
        (
            0.15,
            "medium moderate mixed neutral unsure uncertain unclear abstain revise review maybe partial partially fair "
            "warn warning caution borderline conditional p2 sev2 disputed unverified undetermined flag needs degraded",
        ),
        (0.55, "high major serious severe poor p1 sev1 error"),
        (
            0.7,
            "unsafe reject rejected deny denied decline block blocked fail failed vulnerable inappropriate "
            "unacceptable noncompliant invalid incorrect false inaccurate unsupported bad remove "
            "negative malicious insecure harmful refuted fake refutes broken down failure escalate",
        ),
        (0.95, "critical fatal emergency blocker catastrophic p0 sev0 extreme"),
    )
    for word in words.split()
}
YES = word_set("yes y agree")
NO = word_set("no n disagree")
LOG_LEVELS: dict[str, float] = {
    "fatal": 1.0, "critical": 1.0, "panic": 1.0, "error": 0.9, "err": 0.9, "exception": 0.9, "traceback": 0.9,
    "warn": 0.6, "warning": 0.6, "failed": 0.6, "denied": 0.6, "timeout": 0.6, "refused": 0.6,
    "info": -0.2, "log": -0.2, "debug": -0.4, "trace": -0.4,
}  # fmt: skip


def domains_of(text_stems: frozenset[str]) -> list[str]:
    """The domains that a task or a voter's perspective names, in a fixed order."""
    named = {DOMAIN_NAMES[word] for word in text_stems if word in DOMAIN_NAMES}
    return [domain for domain in DOMAINS if domain in named]
