package markup

import "freshet/generator/markup/highlight"

// bodySheet has the rules of the classes that bodies have. Where a theme has an opinion of its own (alerts, tasks,
// tables, embeds) the rules weigh nothing, so that the theme's win; what authors asked for (alignment, sizes, colours)
// weighs enough to beat a theme's rules for the bare element.
const bodySheet = `:where(.alert){padding:.75rem 1rem;border-inline-start:.25rem solid}
:where(.alert-title){font-weight:700}
:where(.tasks){list-style:none;padding-inline-start:0}
:where(.table-wrap){overflow-x:auto}
:where(.embed){display:block;aspect-ratio:16/9}
:where(.embed iframe){display:block;inline-size:100%;block-size:100%;border:0}
.align-left.align-left{text-align:left}
.align-right.align-right{text-align:right}
.align-center.align-center{text-align:center}
.align-justify.align-justify{text-align:justify}
:is(img,table).align-center{display:block;margin-inline:auto}
table.align-center{display:table}
figure.align-center.align-center{margin-inline:auto}
figure.image.image>img{inline-size:100%;block-size:auto}
figure.image:not([class*=size-])>img{inline-size:auto;max-inline-size:100%}
.float-left.float-left{float:left;max-inline-size:50%;margin:.25rem 1.25rem .75rem 0}
.float-right.float-right{float:right;max-inline-size:50%;margin:.25rem 0 .75rem 1.25rem}
.size-25.size-25{inline-size:25%;max-inline-size:none}
.size-33.size-33{inline-size:33.333%;max-inline-size:none}
.size-50.size-50{inline-size:50%;max-inline-size:none}
.size-66.size-66{inline-size:66.667%;max-inline-size:none}
.size-75.size-75{inline-size:75%;max-inline-size:none}
.size-100.size-100{inline-size:100%;max-inline-size:none}
img[class*=size-]{block-size:auto}
@media (max-width:30rem){.float-left.float-left,.float-right.float-right{float:none;max-inline-size:none;margin-inline:0}
[class*=size-][class*=size-]{inline-size:100%}}
:root{--ink-red:#a3202a;--ink-green:#17623a;--ink-blue:#0a4a9e;--ink-orange:#8a4600;--ink-purple:#5b33a8;--ink-grey:#57606a;` + lightMarks + `}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){` + darkInks + darkMarks + `}}
:root[data-theme=dark]{` + darkInks + darkMarks + `}
.text-red{color:var(--ink-red)}
.text-green{color:var(--ink-green)}
.text-blue{color:var(--ink-blue)}
.text-orange{color:var(--ink-orange)}
.text-purple{color:var(--ink-purple)}
.text-grey{color:var(--ink-grey)}
.mark-yellow.mark-yellow{background:var(--mark-yellow)}
.mark-green.mark-green{background:var(--mark-green)}
.mark-blue.mark-blue{background:var(--mark-blue)}
.mark-pink.mark-pink{background:var(--mark-pink)}
.mark-red.mark-red{background:var(--mark-red)}
.mark-orange.mark-orange{background:var(--mark-orange)}
.mark-purple.mark-purple{background:var(--mark-purple)}
.mark-grey.mark-grey{background:var(--mark-grey)}
`

const (
	lightMarks = `--mark-yellow:#fff3a8;--mark-green:#cdf5d0;--mark-blue:#d3e8ff;--mark-pink:#ffdcec;--mark-red:#ffdad6;` +
		`--mark-orange:#ffe3c2;--mark-purple:#eadfff;--mark-grey:#e2e6ea`
	darkInks = `--ink-red:#ff9a92;--ink-green:#7fd6a0;--ink-blue:#8cc4ff;--ink-orange:#ffb070;--ink-purple:#d2b0ff;` +
		`--ink-grey:#a8b3be;`
	darkMarks = `--mark-yellow:#574a00;--mark-green:#124a23;--mark-blue:#123f6b;--mark-pink:#5e1f40;--mark-red:#641f1f;` +
		`--mark-orange:#5f3600;--mark-purple:#41296b;--mark-grey:#3a444d`
)

// HighlightCSS is the style sheet of what bodies hold: the colours of code, and the rules of the classes named in
// the package comment. It serves light and dark pages: dark by the reader's system unless data-theme on the root
// element says light, and whenever it says dark. The error is always nil.
func HighlightCSS() ([]byte, error) { return []byte(highlight.CSS() + bodySheet), nil }
