/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "words_common.h"

#include <stdlib.h>
#include <string.h>

/* Pronouns, articles, prepositions, conjunctions, forms of auxiliary verbs, as they are folded: no accents. */
static const struct {
    const char *language, *words;
} lists[] = {
    {"danish", "af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din disse dog du "
               "efter eller en "
               "end er et for fra ham han hans har havde have hende hendes her hos hun hvad hvis hvor i ikke ind jeg "
               "jer jo kunne "
               "man mange med meget men mig min mine mit mod ned noget nogle nu nar og ogsa om op os over pa selv sig "
               "sin sine sit "
               "skal skulle som sadan thi til ud under var vi vil ville vor v\xc3\xa6re v\xc3\xa6ret"},
    {"dutch", "aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een en er ge "
              "geen geweest "
              "haar had heb hebben heeft hem het hier hij hoe hun ik in is ja je kan kon kunnen maar me meer men met "
              "mij mijn moet "
              "na naar niet niets nog nu of om omdat onder ons ook op over reeds te tegen toch toen tot u uit uw van "
              "veel voor want "
              "waren was wat werd wezen wie wil worden wordt zal ze zelf zich zij zijn zo zonder zou"},
    {"english", "a about above after again against all am an and any are as at be because been before being below "
                "between both but "
                "by can could did do does doing down during each few for from further had has have having he her here "
                "hers him his "
                "how i if in into is it its just me more most my no nor not of off on once only or other our ours out "
                "over own same "
                "she should so some such than that the their theirs them then there these they this those through to "
                "too under until "
                "up very was we were what when where which while who whom why will with would you your yours"},
    {"french", "a ai as au aux avaient avais avait avec avez avons c ce ceci cela ces cet cette d dans de des du elle "
               "elles en es est "
               "et etaient etais etait etant ete etes etre eu eux il ils j je l la le les leur leurs lui m ma mais me "
               "meme mes moi "
               "mon n ne nos notre nous on ont ou par pas pour qu que qui s sa sans se sera ses si soi son sont sur t "
               "ta te tes toi "
               "ton tu un une vos votre vous y"},
    {"german",
     "aber alle allem allen aller alles als also am an andere anderen auch auf aus bei bin bis bist da damit dann das "
     "dass "
     "da\xc3\x9f dein deine dem den denn der des dich die dies diese diesem diesen dieser dieses dir doch dort du "
     "durch ein "
     "eine einem einen einer eines er es etwas euch euer eure fur gegen hab habe haben hat hatte hatten hier hin "
     "hinter ich "
     "ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist jede jedem jeden jeder jedes jetzt kann kein keine keinem "
     "keinen keiner konnen machen man manche mein meine mich mir mit muss mu\xc3\x9f nach nicht nichts noch nun nur ob "
     "oder "
     "ohne sehr sein seine seinem seinen seiner selbst sich sie sind so solche soll sondern sonst uber um und uns "
     "unser "
     "unsere unter viel vom von vor war waren warst was weil welche welchem welchen welcher wenn werde werden wie "
     "wieder "
     "will wir wird wo wollen wurde wurden zu zum zur zwar zwischen"},
    {"italian", "a abbia abbiamo ad agli ai al alla alle allo anche avere aveva avevano c che chi ci come con cui d da "
                "dagli dai dal "
                "dalla dalle dallo degli dei del della delle dello di dove e ed era erano essere fu gli ha hai hanno "
                "ho i il in io l "
                "la le lei li lo loro lui ma mi mia mie miei mio ne negli nei nel nella nelle nello noi non nostra "
                "nostro o per perche "
                "piu quale quanto quella quelle quelli quello questa queste questi questo se sei si siamo sia sono sta "
                "su sua sue sui "
                "sul sulla sulle suo suoi ti tra tu tua tuo un una uno vi voi"},
    {"norwegian", "alle at av bare ble bli blir da de deg dem den denne der deres det dette di din disse du eller en "
                  "er et etter for fra "
                  "ha hadde han hans har henne hennes her hos hun hva hvem hver hvis hvor hvordan i ikke ingen inn jeg "
                  "kan kom kunne man "
                  "med meg men mer min mitt mot mye na nar noe noen ned og ogsa om opp oss over pa sa seg selv sin "
                  "sine sitt skal skulle "
                  "som til ut under var ved vi vil ville v\xc3\xa6re v\xc3\xa6rt"},
    {"portuguese", "a ao aos aquela aquele as ate com como da das de dela dele deles depois do dos e ela elas ele eles "
                   "em entre era eram "
                   "essa esse esta estao estar estava este estou eu foi foram ha isso isto ja la lhe mais mas me mesmo "
                   "meu minha muito na "
                   "nao nas nem no nos nossa nosso num numa o os ou para pela pelas pelo pelos por qual quando que "
                   "quem sao se seja sem "
                   "ser seu seus so sobre sua suas tambem te tem tenho ter teu tinha tu tua um uma voce voces"},
    {"spanish", "a al algo ante antes como con contra cual cuando de del desde donde durante e el ella ellas ellos en "
                "entre era eran "
                "es esa ese eso esta estaba estan estar estas este esto estos fue fueron ha habia han hasta hay he la "
                "las le les lo "
                "los mas me mi mis mucho muy nada ni no nos nosotros o os otra otro para pero poco por porque que "
                "quien se sea ser si "
                "sido sin sobre somos son soy su sus suya suyo tambien tanto te tiene todo todos tu tus un una uno "
                "unos vosotros y ya "
                "yo"},
    {"swedish",
     "alla allt att av blev bli blir da de dem den denna deras dess det detta dig din dina dit ditt du dar efter ej "
     "eller "
     "en er ett fran for ha hade han hans har henne hennes hon honom hur har i icke inte jag ju kan kunde man med "
     "mellan men "
     "mig min mina mitt mot mycket ni nu nar nagon nagot och om oss pa sa sedan sig sin sina sitt skall ska skulle som "
     "sadan till under upp ut utan vad var vara varit vem vi vid vilka vilken at ar over"},
};

struct word {
    const char *at;
    size_t length;
};

struct search_common {
    char *own;
    size_t n;
    struct word words[]; /* sorted */
};

static int compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->length < y->length ? x->length : y->length);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void add(struct search_common *c, const char *list)
{
    for (const char *at = list + strspn(list, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        c->words[c->n++] = (struct word){at, n};
        at += n;
    }
}

struct search_common *search_common_new(const char *language, const char *own)
{
    const char *list = "";

    for (size_t i = 0; language && i < sizeof(lists) / sizeof(*lists); i++)
        if (strcmp(lists[i].language, language) == 0)
            list = lists[i].words;
    /* Every second character is a word at most. */
    size_t most = (strlen(list) + strlen(own)) / 2 + 2;
    struct search_common *c = malloc(sizeof(*c) + most * sizeof(c->words[0]));
    if (!c)
        return NULL;
    *c = (struct search_common){.own = strdup(own)};
    if (!c->own) {
        free(c);
        return NULL;
    }
    add(c, list);
    add(c, c->own);
    qsort(c->words, c->n, sizeof(c->words[0]), compare);
    return c;
}

void search_common_free(struct search_common *common)
{
    if (!common)
        return;
    free(common->own);
    free(common);
}

bool search_common_has(const struct search_common *common, const char *word, size_t length)
{
    const struct word key = {word, length};

    return bsearch(&key, common->words, common->n, sizeof(common->words[0]), compare) != NULL;
}
