// Package contentdir reads a tree of Markdown files, as Hugo, Zola, Jekyll, Astro and plain repositories write them,
// into documents of package site.
//
// What a file becomes is told by where it lies and by whether it is dated:
//
//   - a folder named blog, posts or _posts, at any depth, holds posts (_drafts: unpublished ones);
//   - each folder or file in a folder named courses is a course, and pages holds pages;
//   - static, at the top, is copied to the root of the site;
//   - elsewhere a file that is dated by its front matter, by path or by its name is a post; a folder of undated files
//     is a course, whose numbered folders are modules; the rest are pages;
//   - _index.md, else index.md, else README.md is its folder's own text; in a blog, and where it is dated, index.md is
//     the text of a bundle, a folder that holds one post and its pictures.
//
// All other files are files that pages may refer to. Hidden files and folders, node_modules and the like are not
// read, partials (_name.md) neither; a repository's housekeeping (CONTRIBUTING.md in capitals and so on) is no page.
//
// Bodies come out in plain Markdown and HTML: the template syntax of other tools is translated or dropped, outside
// code, with one warning a kind. "shortcodes: off" in the front matter keeps it as text.
//
// A file that cannot be understood is left out, with a problem that says where and why, and stops no other. The same
// files always give the same documents, whatever the order of scans that led there: times of files tell only what
// must be read again.
package contentdir
