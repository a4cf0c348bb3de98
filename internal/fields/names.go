package fields

import (
	"slices"
)

// A meaning is what a synonym stands for.
type meaning struct {
	name   string // as freshet calls the field
	rank   int    // of two synonyms of one field the higher counts; the field's own name counts before both
	stored bool   // only in documents of a database: in a file that an author wrote it means other things
}

// meanings are the synonyms of all fields, by their reduced names. Names that front matter and MongoDB have as their own
// are not among them.
var meanings = func() map[string]meaning {
	out := map[string]meaning{}
	add := func(name string, stored bool, synonyms ...string) {
		for i, s := range synonyms {
			out[Reduce(s)] = meaning{name, len(synonyms) - i, stored}
		}
	}
	add("content", true, "body", "postBody", "articleBody", "blogBody", "postContent", "blogContent", "articleContent", "bodyContent", "mainContent", "fullContent", "fullText",
		"html", "bodyHtml", "sanitizedHtml", "sanitizedHtmlContent", "renderedHtml", "contentRendered", "markdown", "bodyMarkdown", "contentMarkdown", "markdownContent", "markdownText", "md", "mdx", "richText", "contentRichText",
		"editorContent", "editorState", "lexical", "blocks", "layout", "article", "story", "message", "text", "contents", "details", "post")
	add("title", true, "postTitle", "blogTitle", "articleTitle", "courseTitle", "courseName", "lessonTitle", "lectureTitle", "chapterTitle", "videoTitle", "sectionTitle", "sectionName", "moduleTitle",
		"chapterName", "lectureName", "lessonName", "headline", "heading", "name", "subject")
	add("slug", true, "urlSlug", "slugUrl", "postSlug", "titleSlug", "handle", "seoSlug", "friendlyUrl")
	add("permalink", true, "permalink", "permaLink", "url", "path", "uri")
	add("excerpt", false, "shortDesc", "teaser")
	add("description", false, "summary", "brief", "abstract", "desc", "lead", "standfirst", "subtitle", "subTitle", "tagline", "intro", "introduction", "snippet")
	add("fullDescription", true, "longDescription", "fullDesc", "courseDescription", "courseDesc", "overview", "about")
	add("tags", false, "tagList", "tagNames", "tag")
	add("topics", true, "hashtags", "labels", "tagsList", "keywords")
	add("categories", false, "categoryList", "categoryNames", "category", "cats", "cat", "categoryName")
	add("author", true, "authorName", "writer", "writtenBy", "byline", "postedBy", "publishedBy", "createdBy", "creator", "username", "user", "owner")
	add("authorImage", true, "authorAvatar", "authorPhoto", "authorPicture", "authorImg", "writerImage")
	add("instructor", true, "teacher", "tutor", "educator", "mentor", "instructors")
	add("coverImage", false, "featuredImage", "featureImage", "heroImage", "mainImage", "bannerImage", "coverPhoto", "coverUrl", "coverImg", "coverPic", "headerImage", "headerImg", "postImage", "blogImage",
		"articleImage", "featuredMedia", "previewImage")
	add("image", true, "imageUrl", "imageLink", "imgUrl", "photo", "photoUrl", "img", "picture", "poster", "thumbnail", "thumbnailUrl", "thumbnailImage", "thumb", "banner", "bannerUrl", "hero", "images")
	add("publishedAt", false, "publishedDate", "publishDate", "publishedOn", "datePublished", "publicationDate", "pubDatetime", "pubDate", "publishAt", "publishTime", "publishedTime", "firstPublishedAt")
	add("date", true, "postedAt", "postedOn", "postDate", "datePosted", "postedDate")
	add("createdAt", false, "created", "createdOn", "createdDate", "dateCreated", "creationDate", "createDate", "insertedAt")
	add("expiresAt", false, "expiryDate", "unpublishDate", "expirationDate", "expires")
	add("modifiedAt", false, "lastModifiedAt", "dateModified")
	add("lang", false, "locale", "langCode", "languageCode")
	add("featured", false, "isFeatured", "isFeature")
	add("views", true, "viewsCount", "viewCount", "hits", "readCount")
	add("metaTitle", false, "seoTitle")
	add("metaDescription", false, "seoDescription", "metaDesc")
	add("canonicalUrl", false, "canonical")
	add("level", false, "difficulty", "courseLevel", "skillLevel")
	add("price", true, "coursePrice", "cost", "amount", "fee", "fees")
	add("originalPrice", true, "mrp", "oldPrice", "estimatedPrice", "regularPrice")
	add("duration", true, "courseDuration", "totalDuration", "videoLength", "videoDuration", "timeDuration")
	add("rating", true, "averageRating", "avgRating", "ratingAverage")
	add("whatYouLearn", false, "whatYouWillLearn", "whatWillYouLearn", "learningOutcomes", "learningObjectives", "outcomes", "benefits")
	add("requirements", false, "prerequisites", "instructions")
	add("enrollRedirectUrl", false, "enrollUrl", "enrolmentUrl", "checkoutUrl", "buyUrl")
	add("curriculum", true, "sections", "modules", "chapters", "courseContent", "courseData", "syllabus", "units", "weeks", "lectures", "lessons", "videos", "episodes")
	add("free", false, "isFree", "isFreePreview", "freePreview", "isPreview", "previewFree")
	for _, own := range ownNames {
		out[Reduce(own)] = meaning{own, maxRank, true} // Title, published_at
	}
	return out
}()

// ownNames are freshet's own names that other programs spell in another way.
var ownNames = []string{"title", "slug", "content", "excerpt", "description", "tags", "categories", "author", "authors", "coverImage", "image", "publishedAt", "date", "createdAt", "expiresAt", "modifiedAt",
	"lang", "featured", "views", "shortDescription", "fullDescription", "level", "price", "originalPrice", "discount", "currency", "duration", "rating", "instructor", "instructors", "features", "whatYouLearn",
	"requirements", "curriculum", "free", "htmlContent"}

const maxRank = 100

// lessonLists are what the list of the lessons of a module is called.
var lessonLists = []string{"lessons", "lectures", "videos", "chapters", "subsections", "subsection", "topics", "units", "items", "parts", "episodes", "classes", "contents"}

// Meaning returns the name that freshet has for a field that goes by another, and the rank among the synonyms of that name.
// It returns "" for fields that it does not know, and for those whose name is freshet's own. authored says that the document
// is a file which an author wrote.
func Meaning(name string, authored bool) (own string, rank int) {
	m, ok := meanings[Reduce(name)]
	if !ok || m.stored && authored || m.name == name {
		return "", 0
	}
	return m.name, m.rank
}

// Synonyms returns those of the names that stand for a field, the best first. The field's own name is not among them.
func Synonyms(own string, names []string) []string {
	var out []string
	for _, n := range names {
		if m := meanings[Reduce(n)]; m.name == own && n != own {
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		_, i := Meaning(a, false)
		_, j := Meaning(b, false)
		return j - i
	})
	return out
}

// Lessons returns the one of the names that the list of a module's lessons goes by; "" when there is none.
func Lessons(names []string) string {
	best, at := "", len(lessonLists)
	for _, n := range names {
		if i := slices.Index(lessonLists, Reduce(n)); i >= 0 && i < at {
			best, at = n, i
		}
	}
	return best
}

// Texts returns the names under which the text of a post, a lesson or a course may stand when it stands in none of
// freshet's own fields, the best first. A post that has no other text is what it has as its description.
func Texts(names []string, post bool) []string {
	out := Synonyms("content", names)
	if !post {
		return out
	}
	var descriptions []string
	for _, n := range names {
		switch Reduce(n) {
		case "excerpt", "summary", "shortdescription":
			return out // what is short stands there, and the text is missing
		case "description", "desc":
			descriptions = append(descriptions, n)
		}
	}
	return append(out, descriptions...)
}
