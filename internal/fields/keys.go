package fields

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"freshet/internal/diag"
)

// A Key is what a field of a file means.
type Key uint8

// The meanings.
const (
	KeyNone Key = iota
	KeyIgnored
	KeyTitle
	KeySlug
	KeyExcerpt
	KeyAuthors
	KeyTags
	KeyCategories
	KeyTaxonomies
	KeyHiding    // read by fields.Hiding
	KeyPublished // a date, or true and false, which fields.Hiding reads
	KeyDate
	KeyModified
	KeyExpires
	KeyCover
	KeyCoverAlt
	KeySEO
	KeySEOTitle
	KeySEODescription
	KeyKeywords
	KeyCanonical
	KeyNoIndex
	KeySEOImage
	KeyAliases
	KeyAddress
	KeyRedirect
	KeyLang
	KeyFeatured
	KeyViews
	KeyWeight
	KeyNav
	KeyMenu
	KeyFree
	KeyShortcodes
	KeyPrice
	KeyOriginalPrice
	KeyCurrency
	KeyLevel
	KeyInstructors
	KeyDuration
	KeyTeaching
	KeyFeatures
	KeyLearn
	KeyRequirements
	KeyRating
	KeyDiscount
	KeyFormat
	KeyOrigin
	KeyID
	KeyAuthorImage
	KeyEnroll
	KeyInstructorName
	KeyInstructorImage
	KeyCurriculum
	KeyClosed
	KeyNotice
	KeyExtra
)

// Ranked is what a name means, and how much it counts against other names with the same meaning: the highest rank wins.
type Ranked struct {
	Key  Key
	Rank int8
}

// Keys are the canonical names and their synonyms in Hugo, Zola, Jekyll and Astro. Names are matched without regard
// to "_", "-" and the case of the first letter.
var Keys = map[string]Ranked{
	"title": {KeyTitle, 9}, "moduleName": {KeyTitle, 2}, "name": {KeyTitle, 1}, "headline": {KeyTitle, 2},
	"slug":    {KeySlug, 9},
	"excerpt": {KeyExcerpt, 9}, "shortDescription": {KeyExcerpt, 8}, "description": {KeyExcerpt, 7}, "summary": {KeyExcerpt, 6},
	"abstract": {KeyExcerpt, 4}, "subtitle": {KeyExcerpt, 2}, "desc": {KeyExcerpt, 3},
	"author": {KeyAuthors, 8}, "authors": {KeyAuthors, 9}, "byline": {KeyAuthors, 2}, "authorImage": {KeyAuthorImage, 9}, "writers": {KeyAuthors, 1},
	"tags": {KeyTags, 9}, "tag": {KeyTags, 8}, "topics": {KeyTags, 5},
	"categories": {KeyCategories, 9}, "category": {KeyCategories, 8}, "taxonomies": {KeyTaxonomies, 9},
	"status": {KeyHiding, 9}, "draft": {KeyHiding, 9}, "isDraft": {KeyHiding, 8}, "isPublished": {KeyHiding, 8}, "isDeleted": {KeyHiding, 8},
	"deletedAt": {KeyHiding, 8}, "visibility": {KeyHiding, 8}, "published": {KeyPublished, 5},
	"publishedAt": {KeyDate, 9}, "publishDate": {KeyDate, 8}, "publishdate": {KeyDate, 8}, "publishedDate": {KeyDate, 8}, "datePublished": {KeyDate, 8},
	"pubDate": {KeyDate, 7}, "pubdate": {KeyDate, 7}, "date": {KeyDate, 6}, "publishedOn": {KeyDate, 7}, "createdAt": {KeyDate, 3}, "created": {KeyDate, 2},
	"modifiedAt": {KeyModified, 9}, "lastmod": {KeyModified, 8}, "lastModifiedAt": {KeyModified, 7}, "lastModified": {KeyModified, 7},
	"modified": {KeyModified, 6}, "updated": {KeyModified, 5}, "updatedDate": {KeyModified, 5}, "dateModified": {KeyModified, 5},
	"lastUpdated": {KeyModified, 4}, "lastUpdate": {KeyModified, 4}, "modDatetime": {KeyModified, 4}, "pubDatetime": {KeyDate, 7},
	"expiresAt": {KeyExpires, 9}, "expiryDate": {KeyExpires, 8}, "expirydate": {KeyExpires, 8}, "unpublishDate": {KeyExpires, 7},
	"unpublishdate": {KeyExpires, 7}, "expires": {KeyExpires, 6},
	"coverImage": {KeyCover, 9}, "cover": {KeyCover, 8}, "featuredImage": {KeyCover, 7}, "featureImage": {KeyCover, 7}, "heroImage": {KeyCover, 7},
	"image": {KeyCover, 6}, "images": {KeyCover, 5}, "thumbnail": {KeyCover, 4}, "banner": {KeyCover, 3}, "hero": {KeyCover, 3}, "ogImage": {KeySEOImage, 8},
	"coverAlt": {KeyCoverAlt, 9}, "coverImageAlt": {KeyCoverAlt, 9}, "imageAlt": {KeyCoverAlt, 8}, "heroImageAlt": {KeyCoverAlt, 8}, "featuredImageAlt": {KeyCoverAlt, 8},
	"seo": {KeySEO, 9}, "metaTitle": {KeySEOTitle, 8}, "seoTitle": {KeySEOTitle, 9}, "metaDescription": {KeySEODescription, 8}, "seoDescription": {KeySEODescription, 9},
	"keywords": {KeyKeywords, 8}, "metaKeywords": {KeyKeywords, 7}, "canonical": {KeyCanonical, 8}, "canonicalUrl": {KeyCanonical, 8}, "canonicalURL": {KeyCanonical, 8}, "noindex": {KeyNoIndex, 8},
	"noIndex": {KeyNoIndex, 8},
	"aliases": {KeyAliases, 9}, "alias": {KeyAliases, 8}, "redirectFrom": {KeyAliases, 7}, "redirectTo": {KeyRedirect, 9},
	"permalink": {KeyAddress, 8}, "url": {KeyAddress, 9}, "path": {KeyAddress, 7},
	"lang": {KeyLang, 9}, "language": {KeyLang, 8}, "locale": {KeyLang, 7},
	"instructorName": {KeyInstructorName, 9}, "instructorImage": {KeyInstructorImage, 9}, "curriculum": {KeyCurriculum, 9}, "developmentMode": {KeyClosed, 9}, "notification": {KeyNotice, 9},
	"featured": {KeyFeatured, 9}, "views": {KeyViews, 9}, "viewCount": {KeyViews, 8}, "weight": {KeyWeight, 9}, "order": {KeyWeight, 8}, "navOrder": {KeyWeight, 7}, "sidebarPosition": {KeyWeight, 7},
	"nav": {KeyNav, 9}, "menu": {KeyMenu, 8}, "menus": {KeyMenu, 8},
	"free": {KeyFree, 9}, "shortcodes": {KeyShortcodes, 9}, "format": {KeyFormat, 9}, "origin": {KeyOrigin, 9}, "_id": {KeyID, 9},
	"price": {KeyPrice, 9}, "originalPrice": {KeyOriginalPrice, 9}, "currency": {KeyCurrency, 9}, "level": {KeyLevel, 9}, "difficulty": {KeyLevel, 8},
	"instructor": {KeyInstructors, 8}, "instructors": {KeyInstructors, 9}, "teacher": {KeyInstructors, 7}, "duration": {KeyDuration, 9},
	"teaching": {KeyTeaching, 5}, "exercises": {KeyTeaching, 5},
	"features": {KeyFeatures, 9}, "whatYouLearn": {KeyLearn, 9}, "whatYouWillLearn": {KeyLearn, 8}, "outcomes": {KeyLearn, 7},
	"requirements": {KeyRequirements, 9}, "prerequisites": {KeyRequirements, 8}, "rating": {KeyRating, 9}, "discount": {KeyDiscount, 9},
	"enrollRedirectUrl": {KeyEnroll, 9}, "enrollUrl": {KeyEnroll, 8}, "enrollURL": {KeyEnroll, 8},
	"extra": {KeyExtra, 1}, "params": {KeyExtra, 1},
	// Known to the tools, of no use here; listed so that they are not near misses of others.
	"updatedAt": {KeyIgnored, 0}, "linkTitle": {KeyIgnored, 0}, "linktitle": {KeyIgnored, 0}, "layout": {KeyIgnored, 0}, "template": {KeyIgnored, 0},
	"type": {KeyIgnored, 0}, "kind": {KeyIgnored, 0}, "series": {KeyIgnored, 0}, "toc": {KeyIgnored, 0}, "readTime": {KeyIgnored, 0}, "site": {KeyIgnored, 0},
	"id": {KeyIgnored, 0}, "image_alt": {KeyCoverAlt, 8}, "content": {KeyIgnored, 0}, "comments": {KeyIgnored, 0}, "comment": {KeyIgnored, 0},
	"cascade": {KeyIgnored, 0}, "outputs": {KeyIgnored, 0}, "resources": {KeyIgnored, 0}, "related": {KeyIgnored, 0}, "release": {KeyIgnored, 0},
	"dates": {KeyIgnored, 0}, "source": {KeyIgnored, 0}, "team": {KeyIgnored, 0}, "teams": {KeyIgnored, 0}, "titles": {KeyIgnored, 0}, "page": {KeyIgnored, 0}, "math": {KeyIgnored, 0},
}

// keyNames are the names of keys in a fixed order, and the same reduced for comparison.
var keyNames, reduced = func() ([]string, map[string]string) {
	var names []string
	red := map[string]string{}
	for n := range Keys {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if r := Reduce(n); red[r] == "" || Keys[n].Rank > Keys[red[r]].Rank {
			red[r] = n
		}
	}
	return names, red
}()

// Known reports whether a key of that name, in any spelling, is known.
func Known(name string) bool {
	_, ok := reduced[Reduce(name)]
	return ok
}

// FindKey tells what a key means; near is the known key that an unknown one probably stands for.
func FindKey(name string) (k Ranked, near string) {
	if k, ok := Keys[name]; ok {
		return k, ""
	}
	// Title, title-case and snake_case forms of a known key are the key itself: publish_date, Date, cover-image.
	if strings.ContainsAny(name, "_-") {
		var b strings.Builder
		up := false
		for _, r := range strings.ToLower(name) {
			switch {
			case r == '_' || r == '-':
				up = b.Len() > 0
			case up:
				b.WriteRune(unicode.ToUpper(r))
				up = false
			default:
				b.WriteRune(r)
			}
		}
		if k, ok := Keys[b.String()]; ok {
			return k, ""
		}
	}
	if r, n := utf8.DecodeRuneInString(name); n > 0 && unicode.IsUpper(r) {
		if k, ok := Keys[string(unicode.ToLower(r))+name[n:]]; ok {
			return k, ""
		}
		if k, ok := Keys[strings.ToLower(name)]; ok {
			return k, ""
		}
	}
	if n, ok := reduced[Reduce(name)]; ok {
		return Ranked{}, n
	}
	if len(name) >= 5 {
		if n := diag.Nearest(name, keyNames); n != "" && Keys[n].Key != KeyIgnored && nearEnough(name, n) {
			return Ranked{}, n
		}
	}
	return Ranked{}, ""
}

// nearEnough keeps plain words of other tools ("theme", "group") from being taken for miskeyNames: the first letter
// must agree, and short names may differ by their length or by a swap only.
func nearEnough(name, known string) bool {
	a, b := Reduce(name), Reduce(known)
	if a == "" || a[0] != b[0] {
		return false
	}
	if len(a) >= 8 {
		return true
	}
	if len(a) == len(b) {
		x, y := []byte(a), []byte(b)
		slices.Sort(x)
		slices.Sort(y)
		return slices.Equal(x, y)
	}
	return len(a)-len(b) == 1 || len(b)-len(a) == 1
}

// StoredKeys are the keys that mean something in a file which holds a document of MongoDB's: the fields that mean it
// there, and the file's own. Others are fields of other programs'.
var StoredKeys = words(`title slug excerpt shortDescription description lang language tags topics categories category coverImage cover cover_image image
	coverImageAlt coverAlt seo metaTitle metaDescription metaKeywords canonicalUrl canonicalURL status draft published publishedAt published_at
	date createdAt created_at modifiedAt lastmod expiresAt aliases authors author authorImage featured views viewCount price originalPrice
	discount currency level duration rating instructor instructors instructorName instructorImage features whatYouLearn requirements
	enrollRedirectUrl enrollUrl curriculum weight order _id origin shortcodes free permalink`)
