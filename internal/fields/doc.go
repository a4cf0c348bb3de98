// Package fields says what a field of a document may be called and what it means, for front matter and for MongoDB alike.
//
// [Hiding] decides whether readers may see a document. It is the only place that does: posts, courses, lessons and pages of
// both sources ask it. A name is known in any spelling: isDeleted, is_deleted, IsDeleted and is-deleted are one field.
package fields
