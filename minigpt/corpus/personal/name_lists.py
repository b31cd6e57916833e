"""Given names and surnames that are frequent in many countries, for the rule about names and for generated text.

Names that are words of English as well (Mark, Grace, Young) stand apart: alone in a text they tell nothing.
"""

from minigpt.corpus.personal.words import words

GIVEN = words(
    """
    Aaron Abdul Abdullah Abigail Adam Adrian Agnes Ahmed Aisha Alan Albert Alejandra Alejandro Aleksandra Alessandro
    Alex Alexander Alexandra Alexandre Alfred Ali Alice Alicia Alison Allison Alyssa Amanda Amelia Amina Amir Amy
    Ana Anastasia Anders Andrea Andreas Andrei Andrew Andrzej Angela Anita Anja Anna Anne Annette Annika Anthony
    Antoine Anton Antonia Antonio Arjun Arthur Arturo Ashley Astrid Audrey Aurora Barbara Barry Beatrice Beatriz Ben
    Benjamin Bernard Bernd Beth Bethany Betty Birgit Björn Bogdan Boris Brandon Brenda Brian Bridget Bruno Bryan
    Camila Camille Carl Carla Carlos Carmen Carol Caroline Catherine Cecilia Cédric Charles Chen Chiara
    Chloe Chris Christian Christina Christine Christopher Claire Clara Claudia Claus Colin Connor Cristina Cynthia
    Dagmar Damian Daniel Daniela Danielle Darko David Deborah Debra Deepak Denis Dennis Derek Diana Diane Diego
    Dieter Dimitri Dirk Dmitri Dmitry Dominic Donald Donna Dorothy Douglas Duncan Dylan Edith Eduardo Edward Eileen
    Elaine Eleanor Elena Eli Elias Elisabeth Eliza Elizabeth Ella Ellen Elsa Emil Emilia Emilie Emily Emma Emmanuel
    Enrico Eric Erica Erik Erika Erin Ernst Ethan Eugene Eva Evan Evelyn Fabio Fatima Felicity Felix Ferdinand
    Fernanda Fernando Filip Fiona Florian Frances Francesca Francesco Francis Francisco Franziska Frédéric Frederick
    Fredrik Friedrich Gabriel Gabriela Gareth Gary Geoffrey George Gerald Gerard Gerhard Gianni Gilbert Gina
    Giovanni Giulia Giuseppe Gloria Gordon Graham Greg Gregory Gudrun Guillaume Gunnar Gustav Hannah Hannes Hans
    Harold Harriet Harry Hassan Heather Heidi Heinrich Heinz Helen Helena Helga Henrik Henry Herbert Hiroshi Holger
    Howard Hugo Ian Ibrahim Ignacio Igor Ilona Ines Inga Ingrid Irene Irina Isaac Isabel Isabella Isabelle Istvan
    István Ivan Jacob Jacqueline Jacques Jakob Jakub James Jamie Jana Jane Janet Janice Jasmine Jason Javier
    Jeff Jeffrey Jennifer Jens Jeremy Jerry Jessica Jill Jim Jiří Joan Joanna Joao João Joe Joel Johan Johanna
    Johannes John Jon Jonas Jonathan Jorge José Jose Josef Joseph Joshua Josip Joyce Juan Juana Judith Judy
    Julia Juliana Julie Juliette Jürgen Justin Kaitlyn Karen Karin Karl Karla Katarina Katarzyna Kate
    Katherine Kathleen Kathryn Kathy Katja Katrin Kayla Keith Kelly Kenneth Kenji Kevin Kim Kimberly Klaus Krishna
    Kristen Kristin Krzysztof Kurt Kyle Lakshmi Larry Lars László Laura Lauren Laurent Lea Leah Lena Leo Leon
    Leonard Leonardo Leonie Leslie Lidia Liam Lina Linda Lisa Logan Lorenzo Louis Louise Luca Lucas Lucia Lucie Lucy
    Luis Luisa Luka Lukas Luke Luz Lydia Maciej Madeleine Madison Magdalena Magnus Malcolm Małgorzata Manfred Manuel
    Manuela Marc Marcel Marcelo Marcin Marco Marcos Marcus Marek Margaret Margarita Maria María Mariana Marie Marija
    Marina Mario Marion Marissa Marjorie Marko Markus Marlene Marta Martha Martin Martina Mary Massimo Matej Mateo
    Mathias Mathieu Matilda Matteo Matthew Matthias Maureen Maurice Max Maximilian Megan Mehmet Melanie Melissa Mia
    Michael Michaela Michał Michel Michelle Miguel Mikael Mikhail Milan Milena Mirjana Mohamed Mohammad Mohammed
    Mohan Moritz Muhammad Nadia Nadine Nancy Naomi Natalia Natalie Natasha Nathan Nathalie Neil Nicholas Nick Nicola
    Nicolas Nicole Niels Nikita Nikolai Nina Noah Noel Nora Norman Oksana Ole Oleg Olga Oliver Olivia Omar Oscar
    Oskar Otto Owen Pablo Pamela Paola Paolo Patricia Patrick Patrik Paul Paula Pauline Paulo Pavel Pedro Penelope
    Pete Peter Petra Petr Philip Philipp Philippe Phillip Pierre Piotr Priya Rachel Rafael Rahul Raj Rajesh Ralf
    Ralph Ramón Raúl Raymond Rebecca Regina Reinhard Renate René Ricardo Richard Rita Robert Roberta Roberto Robin
    Rodrigo Roger Roland Rolf Roman Ronald Rosa Rosalind Rosemary Ross Roxanne Roy Ruben Rudolf Rupert Russell Ruth
    Ryan Sabine Sabrina Salvatore Sam Samantha Samuel Sandra Sanjay Santiago Sara Sarah Satoshi Scott Sean Sebastian
    Sergei Sergey Sergio Shane Shannon Sharon Sheila Shirley Sibylle Silvia Simon Simone Sofia Sofie Sonia Sophia
    Sophie Stacy Stanislav Stefan Stefania Stefanie Stella Stephanie Stephen Steve Steven Stuart Sunita Susan
    Susanne Suzanne Svetlana Sven Sylvia Sylvie Takashi Takeshi Tamara Tania Tanja Tara Tatiana Ted Teresa Terence
    Terry Theo Theodore Theresa Thomas Thorsten Tiffany Tim Timothy Tina Tobias Todd Tomasz Tomás Tommy Tony Tracy
    Trevor Tyler Ulrich Ulrike Ursula Uwe Valentin Valentina Valerie Vanessa Vera Veronica Viktor Vincent Vincenzo
    Viktoria Vladimir Walter Wanda Wayne Wei Wendy Werner Wilhelm William Wolfgang Xavier Yan Yasmin
    Yolanda Yuki Yuri Yusuf Yvonne Zachary Zoe Zoltán Zuzana Aino Mikko Juha Tuomas Eero Ólafur Sigurður Guðrún
    Björk Haruto Sakura Yui Akira Naoko Hiroko Ananya Ravi Suresh Anil Neha Pooja Kwame Chidi Ngozi Amara Oluwaseun
    Thabo Nomsa Ming Ling Xin Jing Hao Seo-yeon Min-jun Ji-woo Nguyen Linh Anh Siti Budi Dewi Putri
    """
)
GIVEN_WORDS = words(
    """
    Virginia Georgia Jordan Charlotte Jan Jun Julian
    Amber April Art August Autumn Bella Bill Bob Brook Carter Chance Chase Chip Christian Clay Cliff Crystal Daisy
    Dale Dawn Dean Dick Don Drew Duke Earl Eve Faith Frank Gene Ginger Glen Grace Grant Guy Harmony Hazel Heath
    Holly Hope Hunter Iris Ivy Jack Jade Jasper Jean Jewel Josh Joy June Junior Lance Laurel Lily Mark Mason Max May
    Melody Mercy Miles Mike Nick Olive Pat Patience Pearl Penny Pierce Ray Reed Rich Rob Rock Rod Rose Ruby Rusty
    Sandy Sky Skip Stone Summer Sue Tom Trinity Victor Victoria Violet Wade Ward Warren Will Wren
    """
)
SURNAMES = words(
    """
    Abbott Adams Aguilar Ahmed Akhtar Allen Almeida Álvarez Alvarez Anderson Andersen Andersson Andrews Armstrong
    Arnold Ashton Atkinson Bailey Barnes Barrett Bauer Baumann Becker Bennett Berg Bernard Bertrand Bianchi
    Blair Bonnet Boyd Bradley Braun Brennan Brooks Bryant Burke Burton Butler Byrne Campbell Cardoso Carlson
    Carpenter Carr Carroll Carvalho Castillo Castro Chapman Chávez Christensen Clarke Clark Cohen Colombo Connor
    Cooper Costa Coleman Cox Crawford Cruz Cunningham Curtis Daniels Davidson Davies Davis Dawson Delgado Diaz
    Díaz Dixon Douglas Doyle Dubois Duncan Dunn Dupont Durand Edwards Elliott Ellis Eriksson Esposito Evans Farrell
    Fernandes Fernández Fernandez Ferguson Ferrari Ferreira Fischer Fisher Fitzgerald Fleming Flores Fontaine
    Fournier Franklin Fraser Freeman Fuchs Fuentes Fuller Gallagher Garcia García Gardner Garrett Gibson Gomes Gómez
    Gomez González Gonzalez Goodwin Graham Greco Griffin Griffiths Gruber Guerra Guerrero Gupta Gustafsson Gutiérrez
    Haas Hamilton Hansen Hanson Hansson Harper Harris Harrison Hartmann Harvey Hashimoto Hassan Hayes Henderson
    Henry Hernández Hernandez Herrera Hicks Hoffman Hoffmann Hofmann Holmes Horvat Horváth Howard Hudson Hughes
    Hussain Ibrahim Ivanov Ivanova Iversen Jackson Jacobs Jacobsen Jankowski Jansen Janssen Jenkins Jensen Jiménez
    Johansen Johansson Johnson Johnston Jones Jørgensen Kamiński Kaplan Karlsson Kaufmann Keller Kelley Kelly
    Kennedy Khan Kim Klein Knight Koch Kovács Kovač Kowalski Kowalska Kraus Krause Krüger Kuznetsov Kumar Lambert
    Lange Larsen Larson Larsson Laurent Lawrence Lawson Lefebvre Lehmann Leroy Lewis Lewandowski Lindberg Lindström
    Liu López Lopez Lombardi Ludwig Lund Lynch MacDonald Maier Marino Marques Marshall Martínez Martinez Mazur
    McCarthy McDonald McKenzie Medina Mehta Meier Mendes Mendoza Meyer Meyers Michel Mikkelsen Mitchell Mohamed
    Molina Montgomery Moore Morales Moreau Moreira Moreno Moretti Morgan Morris Morrison Mueller Müller Muller
    Murphy Murray Myers Nagy Nakamura Navarro Németh Neumann Newman Nguyen Nicholson Nielsen Nilsson Novák Novak
    Nowak Nunes O'Brien O'Connor O'Neill Oliveira Olsen Olson Olsson Ortega Ortiz Owens Palmer Papadopoulos Parker
    Patel Patterson Pavlov Pearson Pedersen Pereira Pérez Perez Perkins Perry Peters Petersen Peterson Petrov
    Petrova Petrović Pettersson Phillips Pinto Popov Powell Price Quinn Ramírez Ramirez Ramos Rasmussen Reynolds
    Ribeiro Ricci Richards Richardson Richter Riley Rinaldi Rivera Robert Roberts Robertson Robinson Rocha Rodrigues
    Rodríguez Rodriguez Rogers Rojas Romano Romero Rossi Rousseau Rossetti Russo Ruiz Ryan Saito Salazar Sánchez
    Sanchez Sanders Santiago Santos Sato Schäfer Schmid Schmidt Schmitt Schmitz Schneider Schröder Schroeder Schulz
    Schultz Schumacher Schwartz Schwarz Scott Shaw Sharma Shapiro Silva Simmons Simpson Singh Smirnov Smith Snyder
    Soares Sokolov Sørensen Soto Sousa Souza Spencer Stephens Stevens Stewart Suárez Sullivan Suzuki Svensson Szabó
    Takahashi Tanaka Taylor Teixeira Thomas Thompson Thomson Torres Tóth Tran Tremblay Tucker Turner Vargas Varga
    Vasilev Vázquez Vasquez Virtanen Vogel Volkov Wagner Walker Wallace Walsh Wang Watanabe Watkins Watson Weber
    Webster Weiss Werner Williams Williamson Willis Wilson Winkler Wiśniewski Wójcik Wright Yamada Yamamoto
    Yıldız Yılmaz Zhang Zhao Ziegler Zimmermann Zhou Korhonen Mäkinen Nieminen Hakala Jónsson Guðmundsdóttir Haugen
    Hagen Bakken Dahl Visser Bakker Meijer Mulder Peeters Maes Claes Dvořák Svoboda Procházka Kučera Kim Park Choi
    Chen Huang Chowdhury Rahman Iyer Reddy Nair Okafor Adeyemi Mensah Dlamini Nkosi Haddad Cohen Levy
    """
)
SURNAME_WORDS = words(
    """
    Baker Bell Wells Ball Banks Bishop Bond Brown Bush Butcher Cook Cross Day Field Fields Fox Ford Forest French Gates
    Glass
    Gray Green Hall Hill Hunt King Lane Lee Little Long Love Mason Miller Moon North Page Park Pope Price Reed Rice
    Rivers Rose Sharp Short Snow Star Steel Stone Street Sweet Temple Waters Ward Weaver West White Wise Wolf Wood
    Woods Young
    """
)
