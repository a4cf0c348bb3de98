package contentdir

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"freshet/internal/diag"
)

// A key is what a front-matter key means.
type key uint8

const (
	keyNone key = iota
	keyIgnored
	keyTitle
	keySlug
	keyExcerpt
	keyAuthors
	keyTags
	keyCategories
	keyTaxonomies
	keyHiding    // read by fields.Hiding
	keyPublished // a date, or true and false, which fields.Hiding reads
	keyDate
	keyModified
	keyExpires
	keyCover
	keyCoverAlt
	keySEO
	keySEOTitle
	keySEODescription
	keyKeywords
	keyCanonical
	keyNoIndex
	keySEOImage
	keyAliases
	keyAddress
	keyRedirect
	keyLang
	keyFeatured
	keyViews
	keyWeight
	keyNav
	keyMenu
	keyFree
	keyShortcodes
	keyPrice
	keyOriginalPrice
	keyCurrency
	keyLevel
	keyInstructors
	keyDuration
	keyTeaching
	keyFeatures
	keyLearn
	keyRequirements
	keyRating
	keyDiscount
	keyFormat
	keyOrigin
	keyID
	keyAuthorImage
	keyEnroll
	keyInstructorName
	keyInstructorImage
	keyCurriculum
	keyClosed
	keyNotice
	keyExtra
)

// A rank is how much a key counts against others with the same meaning: the highest wins.
type keyRank struct {
	key  key
	rank int8
}

// keys are the canonical names and their synonyms in Hugo, Zola, Jekyll and Astro. Names are matched without regard
// to "_", "-" and the case of the first letter.
var keys = map[string]keyRank{
	"title": {keyTitle, 9}, "moduleName": {keyTitle, 2}, "name": {keyTitle, 1}, "headline": {keyTitle, 2},
	"slug":    {keySlug, 9},
	"excerpt": {keyExcerpt, 9}, "shortDescription": {keyExcerpt, 8}, "description": {keyExcerpt, 7}, "summary": {keyExcerpt, 6},
	"abstract": {keyExcerpt, 4}, "subtitle": {keyExcerpt, 2}, "desc": {keyExcerpt, 3},
	"author": {keyAuthors, 8}, "authors": {keyAuthors, 9}, "byline": {keyAuthors, 2}, "authorImage": {keyAuthorImage, 9}, "writers": {keyAuthors, 1},
	"tags": {keyTags, 9}, "tag": {keyTags, 8}, "topics": {keyTags, 5},
	"categories": {keyCategories, 9}, "category": {keyCategories, 8}, "taxonomies": {keyTaxonomies, 9},
	"status": {keyHiding, 9}, "draft": {keyHiding, 9}, "isDraft": {keyHiding, 8}, "isPublished": {keyHiding, 8}, "isDeleted": {keyHiding, 8},
	"deletedAt": {keyHiding, 8}, "visibility": {keyHiding, 8}, "published": {keyPublished, 5},
	"publishedAt": {keyDate, 9}, "publishDate": {keyDate, 8}, "publishdate": {keyDate, 8}, "publishedDate": {keyDate, 8}, "datePublished": {keyDate, 8},
	"pubDate": {keyDate, 7}, "pubdate": {keyDate, 7}, "date": {keyDate, 6}, "publishedOn": {keyDate, 7}, "createdAt": {keyDate, 3}, "created": {keyDate, 2},
	"modifiedAt": {keyModified, 9}, "lastmod": {keyModified, 8}, "lastModifiedAt": {keyModified, 7}, "lastModified": {keyModified, 7},
	"modified": {keyModified, 6}, "updated": {keyModified, 5}, "updatedDate": {keyModified, 5}, "dateModified": {keyModified, 5},
	"lastUpdated": {keyModified, 4}, "lastUpdate": {keyModified, 4}, "modDatetime": {keyModified, 4}, "pubDatetime": {keyDate, 7},
	"expiresAt": {keyExpires, 9}, "expiryDate": {keyExpires, 8}, "expirydate": {keyExpires, 8}, "unpublishDate": {keyExpires, 7},
	"unpublishdate": {keyExpires, 7}, "expires": {keyExpires, 6},
	"coverImage": {keyCover, 9}, "cover": {keyCover, 8}, "featuredImage": {keyCover, 7}, "featureImage": {keyCover, 7}, "heroImage": {keyCover, 7},
	"image": {keyCover, 6}, "images": {keyCover, 5}, "thumbnail": {keyCover, 4}, "banner": {keyCover, 3}, "hero": {keyCover, 3}, "ogImage": {keySEOImage, 8},
	"coverAlt": {keyCoverAlt, 9}, "coverImageAlt": {keyCoverAlt, 9}, "imageAlt": {keyCoverAlt, 8}, "heroImageAlt": {keyCoverAlt, 8}, "featuredImageAlt": {keyCoverAlt, 8},
	"seo": {keySEO, 9}, "metaTitle": {keySEOTitle, 8}, "seoTitle": {keySEOTitle, 9}, "metaDescription": {keySEODescription, 8}, "seoDescription": {keySEODescription, 9},
	"keywords": {keyKeywords, 8}, "metaKeywords": {keyKeywords, 7}, "canonical": {keyCanonical, 8}, "canonicalUrl": {keyCanonical, 8}, "canonicalURL": {keyCanonical, 8}, "noindex": {keyNoIndex, 8},
	"noIndex": {keyNoIndex, 8},
	"aliases": {keyAliases, 9}, "alias": {keyAliases, 8}, "redirectFrom": {keyAliases, 7}, "redirectTo": {keyRedirect, 9},
	"permalink": {keyAddress, 8}, "url": {keyAddress, 9}, "path": {keyAddress, 7},
	"lang": {keyLang, 9}, "language": {keyLang, 8}, "locale": {keyLang, 7},
	"instructorName": {keyInstructorName, 9}, "instructorImage": {keyInstructorImage, 9}, "curriculum": {keyCurriculum, 9}, "developmentMode": {keyClosed, 9}, "notification": {keyNotice, 9},
	"featured": {keyFeatured, 9}, "views": {keyViews, 9}, "viewCount": {keyViews, 8}, "weight": {keyWeight, 9}, "order": {keyWeight, 8}, "navOrder": {keyWeight, 7}, "sidebarPosition": {keyWeight, 7},
	"nav": {keyNav, 9}, "menu": {keyMenu, 8}, "menus": {keyMenu, 8},
	"free": {keyFree, 9}, "shortcodes": {keyShortcodes, 9}, "format": {keyFormat, 9}, "origin": {keyOrigin, 9}, "_id": {keyID, 9},
	"price": {keyPrice, 9}, "originalPrice": {keyOriginalPrice, 9}, "currency": {keyCurrency, 9}, "level": {keyLevel, 9}, "difficulty": {keyLevel, 8},
	"instructor": {keyInstructors, 8}, "instructors": {keyInstructors, 9}, "teacher": {keyInstructors, 7}, "duration": {keyDuration, 9},
	"teaching": {keyTeaching, 5}, "exercises": {keyTeaching, 5},
	"features": {keyFeatures, 9}, "whatYouLearn": {keyLearn, 9}, "whatYouWillLearn": {keyLearn, 8}, "outcomes": {keyLearn, 7},
	"requirements": {keyRequirements, 9}, "prerequisites": {keyRequirements, 8}, "rating": {keyRating, 9}, "discount": {keyDiscount, 9},
	"enrollRedirectUrl": {keyEnroll, 9}, "enrollUrl": {keyEnroll, 8}, "enrollURL": {keyEnroll, 8},
	"extra": {keyExtra, 1}, "params": {keyExtra, 1},
	// Known to the tools, of no use here; listed so that they are not near misses of others.
	"updatedAt": {keyIgnored, 0}, "linkTitle": {keyIgnored, 0}, "linktitle": {keyIgnored, 0}, "layout": {keyIgnored, 0}, "template": {keyIgnored, 0},
	"type": {keyIgnored, 0}, "kind": {keyIgnored, 0}, "series": {keyIgnored, 0}, "toc": {keyIgnored, 0}, "readTime": {keyIgnored, 0}, "site": {keyIgnored, 0},
	"id": {keyIgnored, 0}, "image_alt": {keyCoverAlt, 8}, "content": {keyIgnored, 0}, "comments": {keyIgnored, 0}, "comment": {keyIgnored, 0},
	"cascade": {keyIgnored, 0}, "outputs": {keyIgnored, 0}, "resources": {keyIgnored, 0}, "related": {keyIgnored, 0}, "release": {keyIgnored, 0},
	"dates": {keyIgnored, 0}, "source": {keyIgnored, 0}, "team": {keyIgnored, 0}, "teams": {keyIgnored, 0}, "titles": {keyIgnored, 0}, "page": {keyIgnored, 0}, "math": {keyIgnored, 0},
}

// spellings are the names of keys in a fixed order, and the same reduced for comparison.
var spellings, reduced = func() ([]string, map[string]string) {
	var names []string
	red := map[string]string{}
	for n := range keys {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if r := reduceKey(n); red[r] == "" || keys[n].rank > keys[red[r]].rank {
			red[r] = n
		}
	}
	return names, red
}()

// reduceKey drops what spellings of one key differ in.
func reduceKey(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// findKey tells what a key means; near is the known key that an unknown one probably stands for.
func findKey(name string) (k keyRank, near string) {
	if k, ok := keys[name]; ok {
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
		if k, ok := keys[b.String()]; ok {
			return k, ""
		}
	}
	if r, n := utf8.DecodeRuneInString(name); n > 0 && unicode.IsUpper(r) {
		if k, ok := keys[string(unicode.ToLower(r))+name[n:]]; ok {
			return k, ""
		}
		if k, ok := keys[strings.ToLower(name)]; ok {
			return k, ""
		}
	}
	if n, ok := reduced[reduceKey(name)]; ok {
		return keyRank{}, n
	}
	if len(name) >= 5 {
		if n := diag.Nearest(name, spellings); n != "" && keys[n].key != keyIgnored && nearEnough(name, n) {
			return keyRank{}, n
		}
	}
	return keyRank{}, ""
}

// nearEnough keeps plain words of other tools ("theme", "group") from being taken for misspellings: the first letter
// must agree, and short names may differ by their length or by a swap only.
func nearEnough(name, known string) bool {
	a, b := reduceKey(name), reduceKey(known)
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

// storedKeys are the keys that mean something in a file which holds a document of MongoDB's: the fields that mean it
// there, and the file's own. Others are fields of other programs'.
var storedKeys = set("title", "slug", "excerpt", "shortDescription", "description", "lang", "language", "tags", "topics", "categories", "category",
	"coverImage", "cover", "cover_image", "image", "coverImageAlt", "coverAlt", "seo", "metaTitle", "metaDescription", "metaKeywords", "canonicalUrl", "canonicalURL",
	"status", "draft", "published", "publishedAt", "published_at", "date", "createdAt", "created_at", "modifiedAt", "lastmod", "expiresAt", "aliases",
	"authors", "author", "authorImage", "featured", "views", "viewCount",
	"price", "originalPrice", "discount", "currency", "level", "duration", "rating", "instructor", "instructors", "instructorName", "instructorImage",
	"features", "whatYouLearn", "requirements", "enrollRedirectUrl", "enrollUrl", "curriculum", "weight", "order",
	"_id", "origin", "shortcodes", "free", "permalink")
