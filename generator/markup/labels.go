package markup

import "strings"

// labels are the words that the writer itself puts into bodies.
type labels struct {
	lang      string
	alerts    [5]string // as alertKinds
	footnotes string
	back      string // back from a footnote to the text
	done      string // of a task's box
	open      string
}

// alertKinds are the kinds of alerts as written after "[!".
var alertKinds = [5]string{"note", "tip", "important", "warning", "caution"}

// alertSynonyms are names that other tools use.
var alertSynonyms = map[string]int{
	"info": 0, "abstract": 0, "summary": 0, "quote": 0, "todo": 0, "example": 0, "question": 0, "hint": 1, "success": 1,
	"attention": 3, "danger": 4, "error": 4, "bug": 4, "failure": 4,
}

func alertKind(name string) (int, bool) {
	name = strings.ToLower(name)
	for i, k := range alertKinds {
		if name == k {
			return i, true
		}
	}
	i, ok := alertSynonyms[name]
	return i, ok
}

var english = &labels{
	lang: "en", alerts: [5]string{"Note", "Tip", "Important", "Warning", "Caution"},
	footnotes: "Footnotes", back: "Back to reference", done: "Done", open: "To do",
}

// allLabels are tried in order.
var allLabels = []*labels{
	english,
	{lang: "hi", alerts: [5]string{"नोट", "सुझाव", "महत्वपूर्ण", "चेतावनी", "सावधान"},
		footnotes: "पाद टिप्पणियाँ", back: "संदर्भ पर वापस जाएँ", done: "पूर्ण", open: "शेष"},
	{lang: "mr", alerts: [5]string{"टीप", "सूचना", "महत्त्वाचे", "इशारा", "सावधान"},
		footnotes: "तळटीपा", back: "संदर्भाकडे परत", done: "पूर्ण", open: "बाकी"},
	{lang: "bn", alerts: [5]string{"নোট", "পরামর্শ", "গুরুত্বপূর্ণ", "সতর্কতা", "সাবধান"},
		footnotes: "পাদটীকা", back: "উল্লেখে ফিরে যান", done: "সম্পন্ন", open: "বাকি"},
	{lang: "ur", alerts: [5]string{"نوٹ", "مشورہ", "اہم", "انتباہ", "خبردار"},
		footnotes: "حواشی", back: "حوالے پر واپس", done: "مکمل", open: "باقی"},
	{lang: "ar", alerts: [5]string{"ملاحظة", "نصيحة", "مهم", "تحذير", "تنبيه"},
		footnotes: "الحواشي", back: "العودة إلى المرجع", done: "تم", open: "لم يتم"},
	{lang: "fa", alerts: [5]string{"یادداشت", "نکته", "مهم", "هشدار", "احتیاط"},
		footnotes: "پانویس\u200cها", back: "بازگشت به متن", done: "انجام شد", open: "انجام نشده"},
	{lang: "he", alerts: [5]string{"הערה", "טיפ", "חשוב", "אזהרה", "זהירות"},
		footnotes: "הערות שוליים", back: "חזרה להפניה", done: "בוצע", open: "לביצוע"},
	{lang: "ja", alerts: [5]string{"注", "ヒント", "重要", "警告", "注意"},
		footnotes: "脚注", back: "本文に戻る", done: "完了", open: "未完了"},
	{lang: "zh", alerts: [5]string{"注意", "提示", "重要", "警告", "小心"},
		footnotes: "脚注", back: "返回正文", done: "已完成", open: "未完成"},
	{lang: "ko", alerts: [5]string{"참고", "팁", "중요", "경고", "주의"},
		footnotes: "각주", back: "본문으로 돌아가기", done: "완료", open: "미완료"},
	{lang: "de", alerts: [5]string{"Hinweis", "Tipp", "Wichtig", "Warnung", "Vorsicht"},
		footnotes: "Fußnoten", back: "Zurück zum Text", done: "Erledigt", open: "Offen"},
	{lang: "fr", alerts: [5]string{"Remarque", "Astuce", "Important", "Avertissement", "Attention"},
		footnotes: "Notes de bas de page", back: "Retour au texte", done: "Fait", open: "À faire"},
	{lang: "es", alerts: [5]string{"Nota", "Consejo", "Importante", "Advertencia", "Precaución"},
		footnotes: "Notas al pie", back: "Volver al texto", done: "Hecho", open: "Pendiente"},
	{lang: "pt", alerts: [5]string{"Nota", "Dica", "Importante", "Aviso", "Cuidado"},
		footnotes: "Notas de rodapé", back: "Voltar ao texto", done: "Feito", open: "A fazer"},
	{lang: "ru", alerts: [5]string{"Примечание", "Совет", "Важно", "Предупреждение", "Осторожно"},
		footnotes: "Сноски", back: "Вернуться к тексту", done: "Выполнено", open: "Не выполнено"},
}

// labelsFor are the labels of a language, English when it is unknown.
func labelsFor(lang string) *labels {
	lang, _, _ = strings.Cut(strings.ReplaceAll(lang, "_", "-"), "-")
	for _, l := range allLabels {
		if strings.EqualFold(l.lang, lang) {
			return l
		}
	}
	return english
}
